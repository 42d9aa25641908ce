"""Faults of whole machines: brought about, proven, undone.

Each can heal itself after a time, also when whoever asked for it has died. What is wrong now is read from the
machine itself (processes, links, the bridge's rules), never from a note, so it is right whatever died meanwhile,
and every function here may be repeated.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab import toolchain
from lab.cluster import healers, nodes
from lab.cluster.fault import Fault, Kind
from lab.cluster.kubectl import Kubectl
from lab.cluster.layout import CONTROL, NODES, Machine, Node
from lab.cluster.lifecycle import CLUSTER_TOOLS
from lab.cluster.mechanisms import MECHANISMS, active
from lab.cluster.state import State
from lab.errors import LabError


@dataclass(frozen=True)
class Effect:
    """A fault that took effect.

    Attributes:
        since: When, in seconds since the Unix epoch: the end of the step that brought it about.
        proof: What showed it, for people.
        heals_at: When it heals by itself, in seconds since the Unix epoch; None if it does not.
    """

    since: float
    proof: str
    heals_at: float | None


def inject(state: State, fault: Fault, heal_after_seconds: float | None = None) -> Effect:
    """Bring a fault about and return once it is proven; what could not be proven is undone.

    The last call for a fault decides when it heals; without a time it stays.

    Raises:
        LabError: The machine is in no state for it, or a witness was told otherwise.
    """
    mechanism = MECHANISMS[fault.kind]
    mechanism.check(state, fault)
    armed = None if heal_after_seconds is None else healers.arm(state, fault, heal_after_seconds)
    healers.end(state, fault, but=armed)
    try:
        mechanism.begin(state, fault)
        since = time.time()
        proof = mechanism.prove(state, fault)
    except BaseException:  # an interrupt too: nobody is told of the fault
        # The reason is told, not what went wrong while undoing it.
        with contextlib.suppress(LabError):
            undo(state, fault, wait=False)
        raise
    return Effect(since, proof, healers.due(state, fault))


def undo(state: State, fault: Fault, *, wait: bool = True) -> None:
    """Undo one fault, and wait until Kubernetes has its machine back."""
    since = dt.datetime.now(dt.UTC)
    MECHANISMS[fault.kind].end(state, fault)
    healers.end(state, fault)
    if wait:
        _wait(state, [fault.node] if fault.node else [], since)


def power_on(state: State, node: Node) -> None:
    """Power a zone on again and undo whatever else is wrong with its machine; pending heals are called off."""
    since = dt.datetime.now(dt.UTC)
    for fault in _concerning(state, [node]):
        undo(state, fault, wait=False)
    nodes.switch_on(state, node, toolchain.ensure(CLUSTER_TOOLS))
    healers.end(state, Fault(Kind.POWER_OFF, node))
    _wait(state, [node], since)


def heal(state: State, only: Sequence[Machine] | None = None) -> list[Fault]:
    """Undo every fault, or those of some machines; returns which there were.

    All are undone before anything is waited for. With none left, every node is repaired as a boot would.
    """
    since = dt.datetime.now(dt.UTC)
    found = _concerning(state, (CONTROL, *NODES) if only is None else only)
    for fault in found:
        undo(state, fault, wait=False)
    if only is None:
        tools = toolchain.ensure(CLUSTER_TOOLS)
        for node in NODES:
            nodes.switch_on(state, node, tools)
        healers.end(state)
    waiting = [node for node in NODES if only is None or any(node in (f.node, f.toward) for f in found)]
    _wait(state, waiting, since)
    return found


def lift(state: State) -> None:
    """Undo every fault of what runs, before the lab is repaired: a machine that stands still would block it.

    What is off stays off: the repair boots it.
    """
    found = [fault for fault in active(state) if fault.kind != Kind.POWER_OFF]
    if found:
        state.claim()
    for fault in found:
        undo(state, fault, wait=False)


def _concerning(state: State, machines: Iterable[Machine]) -> list[Fault]:
    wanted = set(machines)
    return [fault for fault in active(state) if fault.machine in wanted]


def _wait(state: State, waiting: Sequence[Node], since: dt.datetime) -> None:
    """Wait for the API server and the nodes, as far as what is still wrong lets them come back."""
    wrong = active(state)
    if Fault(Kind.STOP_API) in wrong:
        return
    kubectl = Kubectl(toolchain.ensure(CLUSTER_TOOLS)["kubectl"], state.kubeconfig)
    kubectl.wait_for_api()
    # One that is deaf in one direction only keeps its lease, and a pod's silence is not its node's.
    held = {fault.node for fault in wrong if fault.toward is None and fault.pod is None}
    nodes.wait_ready(kubectl, [node for node in waiting if node not in held], since)
