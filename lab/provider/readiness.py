"""Is a live object ready? Pure: the answer depends on the object and what was fetched with it, nothing else.

The rules are kubectl's `rollout status` for the workloads and, for the rest, those that the docstrings of the
pulumi_kubernetes classes describe ("Pulumi will wait for ...").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.provider import objects, waitfor
from lab.provider.values import Object, at, items, number, section, text


@dataclass(frozen=True)
class Ready:
    """The object does what it is for."""


@dataclass(frozen=True)
class Waiting:
    """Not yet; `reason` says what is missing."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """Never, without a change; `reason` says why."""

    reason: str


Readiness = Ready | Waiting | Failed


@dataclass(frozen=True)
class Query:
    """What must be fetched besides the object: a list below `path`, or the one object there."""

    path: str
    label_selector: str = ""


Related = Sequence[Object]
Rule = Callable[[Object, Related], Readiness]

READY = Ready()
UNSEEN = Waiting("the controller has not seen the new specification yet")


def condition(obj: Object, kind: str) -> Object:
    """Return the entry of `status.conditions` of a type, empty where there is none."""
    empty: Object = {}
    return next((entry for entry in items(obj, "status", "conditions") if entry.get("type") == kind), empty)


def reason_of(entry: Object) -> str:
    """Return a condition's reason and message in one line."""
    return ": ".join(part for part in (text(entry, "reason"), text(entry, "message")) if part)


def is_observed(obj: Object) -> bool:
    """Tell whether the controller has seen the current specification."""
    return number(obj, "status", "observedGeneration") >= number(obj, "metadata", "generation")


def deployment(obj: Object, _: Related) -> Readiness:
    """Every replica updated and available, none of an older revision left."""
    wanted, status = number(obj, "spec", "replicas", default=1), section(obj, "status")
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    if not is_observed(obj):
        return UNSEEN
    progressing = condition(obj, "Progressing")
    if progressing.get("status") == "False":
        return Failed(reason_of(progressing))
    old = number(status, "replicas") - updated
    if updated < wanted or available < updated or old > 0:
        remains = f", {old} of the old revision still there" if old > 0 else ""
        return Waiting(f"{available}/{wanted} available, {updated} up to date{remains}")
    return READY


def stateful_set(obj: Object, _: Related) -> Readiness:
    """Every replica updated (unless the strategy says not to) and ready."""
    wanted, status = number(obj, "spec", "replicas", default=1), section(obj, "status")
    if not is_observed(obj):
        return UNSEEN
    strategy = section(obj, "spec", "updateStrategy")
    updated = wanted if strategy.get("type") == "OnDelete" else number(status, "updatedReplicas")
    if status.get("currentRevision") == status.get("updateRevision"):
        updated = wanted
    to_update = wanted - number(strategy, "rollingUpdate", "partition")
    if updated < to_update or number(status, "readyReplicas") < wanted:
        return Waiting(f"{number(status, 'readyReplicas')}/{wanted} ready, {updated} up to date")
    return READY


def daemon_set(obj: Object, _: Related) -> Readiness:
    """Every node that should run a pod runs an updated, available one."""
    status = section(obj, "status")
    wanted = number(status, "desiredNumberScheduled")
    if not is_observed(obj):
        return UNSEEN
    is_on_delete = at(obj, "spec", "updateStrategy", "type") == "OnDelete"
    updated = wanted if is_on_delete else number(status, "updatedNumberScheduled")
    if updated < wanted or number(status, "numberAvailable") < wanted:
        return Waiting(f"{number(status, 'numberAvailable')}/{wanted} available, {updated} up to date")
    return READY


def job(obj: Object, _: Related) -> Readiness:
    """Complete, or suspended."""
    for kind in ("Failed", "FailureTarget"):
        if (failure := condition(obj, kind)).get("status") == "True":
            return Failed(reason_of(failure))
    if at(obj, "spec", "suspend") is True or condition(obj, "Complete").get("status") == "True":
        return READY
    wanted, status = number(obj, "spec", "completions", default=1), section(obj, "status")
    failed = f", {number(status, 'failed')} failed" if number(status, "failed") else ""
    return Waiting(
        f"{number(status, 'succeeded')}/{wanted} completions, {number(status, 'active')} active{failed}"
    )


def pod(obj: Object, _: Related) -> Readiness:
    """Ready, or done."""
    phase = text(obj, "status", "phase")
    if phase == "Failed":
        return Failed(text(obj, "status", "message") or text(obj, "status", "reason") or "the pod failed")
    if phase == "Succeeded" or condition(obj, "Ready").get("status") == "True":
        return READY
    return Waiting(f"phase {phase or 'not set'}")


def volume_claim(obj: Object, related: Related) -> Readiness:
    """Bound; or its class binds only when a pod uses it."""
    phase = text(obj, "status", "phase")
    if phase == "Bound":
        return READY
    if phase == "Lost":
        return Failed("its volume is lost")
    if any(text(found, "volumeBindingMode") == "WaitForFirstConsumer" for found in related):
        return READY
    return Waiting(f"phase {phase or 'not set'}")


def volume(obj: Object, _: Related) -> Readiness:
    """Available or bound."""
    phase = text(obj, "status", "phase")
    if phase == "Failed":
        return Failed(text(obj, "status", "message") or "the volume failed")
    return READY if phase in ("Available", "Bound") else Waiting(f"phase {phase or 'not set'}")


def service(obj: Object, related: Related) -> Readiness:
    """At least one ready endpoint where it selects pods, and an address where it is a load balancer."""
    spec = section(obj, "spec")
    if needs_endpoints(obj) and not any(is_serving(slice_) for slice_ in related):
        return Waiting("no ready endpoints")
    if spec.get("type") == "LoadBalancer" and not items(obj, "status", "loadBalancer", "ingress"):
        return Waiting("no load balancer address")
    return READY


def needs_endpoints(obj: Object) -> bool:
    """Tell whether a Service routes to pods that it selects. A headless one may precede its pods."""
    spec = section(obj, "spec")
    return (
        bool(spec.get("selector")) and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"
    )


def is_serving(slice_: Object) -> bool:
    """Tell whether an EndpointSlice has an endpoint that takes traffic."""
    return any(at(endpoint, "conditions", "ready") is not False for endpoint in items(slice_, "endpoints"))


def resource_definition(obj: Object, _: Related) -> Readiness:
    """Its names are accepted and the API server serves it."""
    names = condition(obj, "NamesAccepted")
    if names.get("status") == "False":
        return Failed(reason_of(names))
    return READY if condition(obj, "Established").get("status") == "True" else Waiting("not established")


def quota(obj: Object, _: Related) -> Readiness:
    """The quota controller counts against the limits asked for."""
    return (
        READY
        if section(obj, "spec", "hard") == section(obj, "status", "hard")
        else Waiting("limits not in force")
    )


RULES: Mapping[tuple[str, str], Rule] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "PersistentVolumeClaim"): volume_claim,
    ("", "PersistentVolume"): volume,
    ("", "Service"): service,
    ("", "ResourceQuota"): quota,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): resource_definition,
}


def query(obj: Object) -> Query | None:
    """Return what must be fetched besides the object to judge it, None if nothing."""
    if not is_awaited(obj) or objects.annotation(obj, objects.WAIT_FOR):
        return None
    kind, namespace = objects.kind_of(obj), text(obj, "metadata", "namespace")
    if kind == ("", "Service") and needs_endpoints(obj):
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        return Query(path, f"kubernetes.io/service-name={text(obj, 'metadata', 'name')}")
    if kind == ("", "PersistentVolumeClaim") and (name := text(obj, "spec", "storageClassName")):
        return Query(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
    return None


def is_awaited(obj: Object) -> bool:
    """Tell whether anything is waited for at all."""
    if objects.is_annotated(obj, objects.SKIP_AWAIT):
        return False
    return bool(objects.annotation(obj, objects.WAIT_FOR)) or objects.kind_of(obj) in RULES


def readiness(obj: Object, related: Related = ()) -> Readiness:
    """Judge a live object.

    An annotation `pulumi.com/waitFor` takes the place of the kind's own rule.

    Args:
        obj: the object as the API server shows it.
        related: what `query(obj)` asks for.
    """
    if not is_awaited(obj):
        return READY
    if annotation := objects.annotation(obj, objects.WAIT_FOR):
        missing = [reason for wanted in waitfor.parse(annotation) if (reason := wanted.missing(obj))]
        return Waiting("; ".join(missing)) if missing else READY
    return RULES[objects.kind_of(obj)](obj, related)
