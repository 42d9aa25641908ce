"""Faults of whole zones. Each can heal itself after a time, also when whoever asked for it has died."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

from lab import toolchain
from lab.cluster import nodes
from lab.cluster.kubectl import Kubectl
from lab.cluster.layout import NODES, Node
from lab.cluster.lifecycle import CLUSTER_TOOLS
from lab.cluster.state import State


def power_off(state: State, node: Node, heal_after_seconds: float | None) -> None:
    """Cut the power of a zone: its link goes down and every process of its node dies at once."""
    if heal_after_seconds is not None:
        _arm(heal_after_seconds, "power-on", node.zone)
    nodes.switch_off(state, node)


def power_on(state: State, node: Node, *, wait: bool = True) -> None:
    """Power a zone on again: its node boots, and Kubernetes brings its pods back."""
    tools = toolchain.ensure(CLUSTER_TOOLS)
    since = dt.datetime.now(dt.UTC)
    nodes.switch_on(state, node, tools)
    if wait:
        nodes.wait_ready(Kubectl(tools["kubectl"], state.kubeconfig), [node], since)


def heal(state: State) -> None:
    """Undo every fault: all zones on."""
    for node in NODES:
        power_on(state, node)


def _arm(seconds: float, *command: str) -> None:
    """Leave a process behind that runs a lab command after a time, before the fault is made."""
    subprocess.Popen(
        [
            "sh",
            "-c",
            'sleep "$1"; shift; exec "$@"',
            "heal",
            str(seconds),
            sys.executable,
            "-m",
            "lab",
            *command,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
