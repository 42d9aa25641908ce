"""Nodes as the lab's commands use them: switch on, give images, wait until Kubernetes has them Ready."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import images
from lab.cluster import cgroups, kubeconfig, machine, network, node
from lab.cluster.kubectl import Kubectl
from lab.cluster.layout import Node
from lab.cluster.state import State
from lab.errors import LabError

RUNTIME_SECONDS = 60.0
READY_SECONDS = 180.0


def switch_on(state: State, which: Node, tools: Mapping[str, Path]) -> None:
    """Boot a node that is off, with a new network namespace as a rebooted machine has; repair one that is on."""
    folder = state.folder(which)
    if not machine.is_running(folder):
        network.detach(which)
    network.attach(which)
    cgroups.ensure(which.name)
    node.write_configuration(which, folder, state.pki, tools["cni-plugins"])
    for identity, certificate in (
        ("kubelet", which.name),
        ("kube-proxy", "kube-proxy"),
        ("volume-agent", "volume-agent"),
    ):
        kubeconfig.write(folder / f"{identity}.conf", state.pki, certificate)
    machine.start(which.name, which, node.boot(which, folder, tools), folder)


def switch_off(state: State, which: Node) -> None:
    """Cut the power: the link first, so that nothing answers for the node while its processes die."""
    network.unplug(which)
    machine.kill(state.folder(which))


def import_images(which: Node, tools: Mapping[str, Path], built: Sequence[images.BuiltImage]) -> int:
    """Import the images that the node lacks; returns how many."""
    present = _images(which, tools)
    missing = [image for image in built if present.get(image.name) != image.digest]
    if missing:
        ctr = subprocess.Popen(
            [*_ctr(which, tools), "images", "import", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert ctr.stdin is not None  # noqa: S101  asked for as a pipe above
        try:
            images.export(missing, ctr.stdin)
            _, errors = ctr.communicate()
        except BrokenPipeError:
            _, errors = ctr.communicate()
        if ctr.returncode:
            raise LabError(
                f"{which.name}: importing images failed: {errors.decode(errors='replace').strip()}"
            )
    return len(missing)


def _images(which: Node, tools: Mapping[str, Path]) -> dict[str, str]:
    """Return digest by name of the images on a node, waiting for its container runtime."""
    deadline = time.monotonic() + RUNTIME_SECONDS
    while True:
        done = subprocess.run(
            [*_ctr(which, tools), "images", "list"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            rows = [line.split() for line in done.stdout.splitlines()[1:]]
            return {row[0]: row[2] for row in rows}
        if time.monotonic() > deadline:
            raise LabError(f"{which.name}: its container runtime does not answer: {done.stderr.strip()}")
        time.sleep(0.2)


def _ctr(which: Node, tools: Mapping[str, Path]) -> list[str]:
    return [str(tools["ctr"]), "--address", str(node.runtime_socket(which)), "--namespace", "k8s.io"]


def wait_ready(
    kubectl: Kubectl, wanted: Sequence[Node], since: dt.datetime, timeout_seconds: float = READY_SECONDS
) -> None:
    """Wait until Kubernetes reports the nodes Ready and has heard from them after `since`.

    A node that was off for less than the grace period still counts as Ready when it boots: its lease tells.

    Raises:
        LabError: Naming the nodes that are not, with kubelet's reason.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        conditions, renewals = kubectl.node_readiness(), kubectl.node_renewals()
        late = [
            n.name
            for n in wanted
            if conditions.get(n.name, ("Unknown",))[0] != "True" or renewals.get(n.name, since) <= since
        ]
        if not late:
            return
        if time.monotonic() > deadline:
            reasons = "; ".join(f"{name}: {conditions.get(name, ('', 'not registered'))[1]}" for name in late)
            raise LabError(f"nodes not Ready after {timeout_seconds:.0f} s: {reasons}")
        time.sleep(0.3)
