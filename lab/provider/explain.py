"""Why an object is not ready, in the words of its pods and events. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.provider.readiness import condition, reason_of
from lab.provider.values import Object, at, items, number, section, text

MAX_LINES = 5
"""Lines a reader still reads; the rest repeats them."""


def selector(obj: Object) -> str:
    """Return the label selector of an object's pods, empty where it has none."""
    spec = section(obj, "spec")
    labels = section(spec, "selector", "matchLabels")
    if text(obj, "kind") == "Service":
        labels = section(spec, "selector")
    if not labels and text(obj, "apiVersion").startswith("postgresql.cnpg.io/"):
        labels = {"cnpg.io/cluster": text(obj, "metadata", "name")}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def lines(obj: Object, pods: Sequence[Object], events: Sequence[Object]) -> list[str]:
    """Return what stands in the way, most telling first.

    Args:
        obj: the object that is not ready.
        pods: its pods, live.
        events: the events of its namespace that are about it, oldest first.
    """
    found = [line for entry in ([obj] if text(obj, "kind") == "Pod" else pods) for line in pod_lines(entry)]
    kept = namespace_lines(obj) + conditions(obj) + sorted(set(found))
    if not found:
        kept += event_lines(events)
    unique = list(dict.fromkeys(kept))
    more = len(unique) - MAX_LINES
    return unique if more <= 0 else [*unique[:MAX_LINES], f"and {more} more"]


def conditions(obj: Object) -> list[str]:
    """Return what a controller says about failing to make pods at all, such as Pod Security refusals."""
    failure = condition(obj, "ReplicaFailure")
    return [f"{text(obj, 'kind')}: {reason_of(failure)}"] if failure.get("status") == "True" else []


def pod_lines(pod: Object) -> list[str]:
    """Return why one pod is not ready."""
    name = text(pod, "metadata", "name")
    found: list[str] = []
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        found.append(f"pod {name}: {reason_of(scheduled)}")
    statuses = items(pod, "status", "initContainerStatuses") + items(pod, "status", "containerStatuses")
    found += [
        f"pod {name}, container {text(status, 'name')}: {line}"
        for status in statuses
        if (line := container_line(status))
    ]
    if not found and text(pod, "status", "phase") == "Pending":
        found.append(f"pod {name}: phase Pending")
    if (
        not found
        and text(pod, "status", "phase") == "Running"
        and condition(pod, "Ready").get("status") == "False"
    ):
        found.append(f"pod {name}: {reason_of(condition(pod, 'Ready'))}")
    return found


def container_line(status: Object) -> str:
    """Return why one container does not run, empty if it does or has done its work."""
    waiting, ended = section(status, "state", "waiting"), section(status, "state", "terminated")
    last = section(status, "lastState", "terminated")
    if waiting and text(waiting, "reason") not in ("PodInitializing", "ContainerCreating"):
        before = f"; last exit code {number(last, 'exitCode')}" if last else ""
        return f"{text(waiting, 'reason')} {text(waiting, 'message')}".strip() + before
    if ended and number(ended, "exitCode") != 0:
        return (
            f"{text(ended, 'reason')} exit code {number(ended, 'exitCode')} {text(ended, 'message')}".strip()
        )
    return ""


def event_lines(events: Sequence[Object]) -> list[str]:
    """Return the latest warnings."""
    warnings = [event for event in events if text(event, "type") == "Warning"]
    return [f"{text(event, 'reason')}: {text(event, 'message')}" for event in warnings[::-1]]


def namespace_lines(obj: Object) -> list[str]:
    """Return what keeps a namespace that is being deleted."""
    if text(obj, "kind") != "Namespace" or at(obj, "metadata", "deletionTimestamp") is None:
        return []
    return [
        text(entry, "message")
        for entry in items(obj, "status", "conditions")
        if entry.get("status") == "True"
    ]
