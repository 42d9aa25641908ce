"""Faults of whole zones. Each can heal itself after a time, also when whoever asked for it has died."""

from __future__ import annotations

import datetime as dt

from lab import toolchain
from lab.cluster import healers, nodes
from lab.cluster.kubectl import Kubectl
from lab.cluster.layout import NODES, Node
from lab.cluster.lifecycle import CLUSTER_TOOLS
from lab.cluster.state import State


def power_off(state: State, node: Node, heal_after_seconds: float | None) -> None:
    """Cut the power of a zone: its link goes down and every process of its node dies at once.

    The last call for a zone decides when it heals; without a time it stays off.
    """
    armed = None if heal_after_seconds is None else healers.arm(state, node, heal_after_seconds)
    healers.end(state, node, but=armed)
    nodes.switch_off(state, node)


def power_on(state: State, node: Node, *, wait: bool = True) -> None:
    """Power a zone on again: its node boots, Kubernetes brings its pods back, pending heals are called off."""
    tools = toolchain.ensure(CLUSTER_TOOLS)
    since = dt.datetime.now(dt.UTC)
    nodes.switch_on(state, node, tools)
    healers.end(state, node)
    if wait:
        nodes.wait_ready(Kubectl(tools["kubectl"], state.kubeconfig), [node], since)


def heal(state: State) -> None:
    """Undo every fault: all zones on."""
    for node in NODES:
        power_on(state, node)
