"""How each kind of fault is checked for, brought about, proven and undone; and which are in effect now."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab import toolchain
from lab.cluster import api_server, freeze, machine, network, nodes, pod_silence, silence, witness
from lab.cluster.fault import Fault, Kind
from lab.cluster.layout import CONTROL, NODES, Machine, Node
from lab.cluster.lifecycle import CLUSTER_TOOLS
from lab.cluster.state import State
from lab.cluster.witness import Answer
from lab.errors import LabError

BEFORE_SECONDS = 5.0
"""How long a machine that works may take to say so, on a busy host."""


def active(state: State) -> list[Fault]:
    """Return every fault that is in effect; none where the lab is not up."""
    if not machine.is_running(state.folder(CONTROL)):
        return []
    found = [Fault(Kind.STOP_API)] if api_server.is_stopped(state) else []
    found += [Fault(Kind.SILENCE, node, toward) for node, toward in silence.active()]
    found += [Fault(Kind.SILENCE_POD, node, pod=address) for node, address in pod_silence.active()]
    for node in NODES:
        folder = state.folder(node)
        if not machine.is_running(folder):
            found.append(Fault(Kind.POWER_OFF, node))
        elif freeze.is_paused(folder):
            found.append(Fault(Kind.FREEZE, node))
    return found


def _witnesses(state: State, but: Iterable[Machine]) -> list[Machine]:
    """Return the machines whose word counts: those with power whose own packets are not dropped."""
    deaf = {fault.node for fault in active(state) if fault.kind in (Kind.POWER_OFF, Kind.SILENCE)}
    unwanted = {*but, *deaf}
    return [one for one in (CONTROL, *NODES) if one not in unwanted]


def _node(fault: Fault) -> Node:
    if fault.node is None:
        raise LabError(f"fault: {fault.kind} needs a zone")
    return fault.node


def _check_works(state: State, fault: Fault) -> None:
    """Refuse a machine that is off, or that would not answer without the fault either: nothing could be proven."""
    node = _node(fault)
    for one in (node, fault.toward):
        if one is not None and not machine.is_running(state.folder(one)):
            raise LabError(f"{one.zone} is off: power it on first (python -m lab power-on {one.zone})")
    if fault.toward == node:
        raise LabError(f"--toward: {node.zone} is the zone itself; name another one")
    if fault in active(state):
        return
    for one in (node, fault.toward):
        if one is not None:
            _check_answers(state, one)


def _check_answers(state: State, about: Machine) -> None:
    witnesses = _witnesses(state, [about]) or [CONTROL]
    try:
        witness.expect(witnesses, about, Answer.ANSWERS, BEFORE_SECONDS)
    except LabError as error:
        raise LabError(f"no fault could be proven: {error}; see `python -m lab status`") from None


def _nothing(_state: State, _fault: Fault) -> None:
    return


def _power_off(state: State, fault: Fault) -> None:
    nodes.switch_off(state, _node(fault))


def _prove_silent(state: State, fault: Fault) -> str:
    node = _node(fault)
    return witness.expect(_witnesses(state, [node]), node, Answer.SILENT)


def _switch_on(state: State, fault: Fault) -> None:
    nodes.switch_on(state, _node(fault), toolchain.ensure(CLUSTER_TOOLS))


def _silence(_state: State, fault: Fault) -> None:
    silence.add((_node(fault), fault.toward))
    network.route_host()


def _prove_silence(state: State, fault: Fault) -> str:
    node, toward = _node(fault), fault.toward
    if toward is None:
        proof = _prove_silent(state, fault)
    else:
        told = witness.expect([toward], node, Answer.SILENT)
        # The other direction and the other zones stay as they were.
        others = [one for one in _witnesses(state, [node, toward]) if one != node]
        proof = f"{told}; {witness.expect(others, node, Answer.ANSWERS, BEFORE_SECONDS)}"
    count = silence.dropped((node, toward))
    if count == 0:
        raise LabError(f"{fault}: its rules dropped nothing")
    return f"{proof}; {count} frames dropped"


def _speak(_state: State, fault: Fault) -> None:
    silence.remove([(_node(fault), fault.toward)])
    network.route_host()


def _pod(fault: Fault) -> tuple[Node, str]:
    if fault.pod is None:
        raise LabError(f"fault: {fault.kind} needs a pod's address")
    return _node(fault), fault.pod


def _check_pod(state: State, fault: Fault) -> None:
    node, address = _pod(fault)
    # Its node drops the packets, and a pod of the host's network has the node's own address.
    if ipaddress.ip_address(address) not in ipaddress.ip_network(node.pod_network):
        raise LabError(
            f"--pod: {address} is no address of {node.zone}'s pods, which are in {node.pod_network}"
        )
    _check_works(state, Fault(Kind.SILENCE, node))
    if fault in active(state):
        return
    try:
        # Nobody listens there, and it is the pod's own kernel that says so.
        witness.expect_pod(_witnesses(state, [node]), address, Answer.REFUSES, BEFORE_SECONDS)
    except LabError as error:
        raise LabError(f"--pod: {address} is no pod that works: {error}") from None


def _silence_pod(_state: State, fault: Fault) -> None:
    pod_silence.add(_pod(fault))


def _prove_pod_silence(state: State, fault: Fault) -> str:
    node, address = _pod(fault)
    proof = witness.expect_pod(_witnesses(state, [node]), address, Answer.SILENT)
    count = pod_silence.dropped((node, address))
    if count == 0:
        raise LabError(f"{fault}: its rules dropped nothing")
    return f"{proof}; {count} packets dropped"


def _pod_speaks(_state: State, fault: Fault) -> None:
    pod_silence.remove([_pod(fault)])


def _freeze(state: State, fault: Fault) -> None:
    freeze.freeze(state.folder(_node(fault)))


def _prove_frozen(state: State, fault: Fault) -> str:
    node = _node(fault)
    proof = witness.expect(_witnesses(state, [node]), node, Answer.HANGS)
    return f"{proof}; {freeze.count(state.folder(node))} processes stand still"


def _thaw(state: State, fault: Fault) -> None:
    freeze.thaw(state.folder(_node(fault)))


def _check_api(state: State, _fault: Fault) -> None:
    if not api_server.is_stopped(state):
        _check_answers(state, CONTROL)


def _stop_api(state: State, _fault: Fault) -> None:
    api_server.stop(state)


def _prove_api_stopped(state: State, _fault: Fault) -> str:
    return witness.expect(_witnesses(state, [CONTROL]) or [CONTROL], CONTROL, Answer.REFUSES)


def _start_api(state: State, _fault: Fault) -> None:
    api_server.start(state)


@dataclass(frozen=True)
class Mechanism:
    """How one kind of fault is made.

    Attributes:
        check: Refuses what cannot be, before anything is touched.
        begin: Brings the fault about.
        prove: Returns what shows that it is in effect, or raises.
        end: Undoes it; harmless where it is not in effect.
    """

    check: Callable[[State, Fault], None]
    begin: Callable[[State, Fault], None]
    prove: Callable[[State, Fault], str]
    end: Callable[[State, Fault], None]


MECHANISMS = {
    Kind.POWER_OFF: Mechanism(_nothing, _power_off, _prove_silent, _switch_on),
    Kind.SILENCE: Mechanism(_check_works, _silence, _prove_silence, _speak),
    Kind.SILENCE_POD: Mechanism(_check_pod, _silence_pod, _prove_pod_silence, _pod_speaks),
    Kind.FREEZE: Mechanism(_check_works, _freeze, _prove_frozen, _thaw),
    Kind.STOP_API: Mechanism(_check_api, _stop_api, _prove_api_stopped, _start_api),
}
