"""Up, down and status of the whole lab: the order in which its parts come and go."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

from lab import images, toolchain
from lab.cluster import (
    addons,
    cgroups,
    control_plane,
    guests,
    healers,
    kubeconfig,
    machine,
    network,
    node,
    nodes,
    pki,
    requirements,
    sysctls,
)
from lab.cluster.kubectl import Kubectl
from lab.cluster.layout import CONTROL, NODES, OUTSIDE
from lab.cluster.state import State
from lab.errors import LabError
from lab.progress import Steps

CLUSTER_TOOLS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
    "containerd", "ctr", "runc", "cni-plugins", "iptables", "conntrack",
)  # fmt: skip
SHELL_TOOLS = ("kubectl", "pulumi", "pulumi-language-python", "temporal-server")
"""What a shell that uses the lab finds on its PATH."""
CONTROL_IDENTITIES = ("controller-manager", "scheduler")
DNS_SECONDS = 120
MOUNT_POINTS = (
    Path("/var/lib/cni"),
    Path("/var/log/containers"),
    Path("/run/containerd"),
    Path("/run/routerfleet"),
    *map(Path, node.RUNTIME_FOLDERS),
)
"""Folders that must exist on the host for a node to mount its own over them."""
NETWORK_NAMES = Path("/run/netns")
"""What `ip netns` mounts over itself on first use."""


def up(state: State, steps: Steps) -> None:
    """Bring the lab up, or repair it: what runs is left alone, what is missing is started.

    Raises:
        LabError: Something that the user can mend is in the way.
    """
    requirements.check()
    network.check_free()
    state.claim()
    # In one call: every prerequisite is checked before the first of many minutes of building.
    tools = toolchain.ensure({*CLUSTER_TOOLS, *SHELL_TOOLS, *images.needed_tools(images.RECIPES)})
    built = images.build(images.RECIPES)
    healers.end(state)
    _remember_mount_points(state)
    sysctls.remember(state.root)
    with steps("control plane"):
        kubectl = _control_plane(state, tools)
    since, booting = dt.datetime.now(dt.UTC), [n for n in NODES if not machine.is_running(state.folder(n))]
    with steps(f"nodes {', '.join(n.name for n in NODES)}"):
        for which in NODES:
            nodes.switch_on(state, which, tools)
        with ThreadPoolExecutor(len(NODES)) as pool:
            counts = list(pool.map(partial(nodes.import_images, tools=tools, built=built), NODES))
        nodes.wait_ready(kubectl, booting, since)
        nodes.wait_ready(kubectl, NODES, dt.datetime.fromtimestamp(0, dt.UTC))
    with steps("host outside the zones"):
        network.attach(OUTSIDE)
        guests.start_all(state)
    with steps("cluster DNS"):
        kubectl.run("-n", "kube-system", "rollout", "status", "deployment/coredns", f"--timeout={DNS_SECONDS}s",
                    "--request-timeout=0")  # fmt: skip
    steps.note(f"{sum(counts)} images imported, {len(built)} per node")


def _control_plane(state: State, tools: Mapping[str, Path]) -> Kubectl:
    pki.ensure(state.pki)
    folder = state.folder(CONTROL)
    kubeconfig.write(state.kubeconfig, state.pki, "admin")
    for identity in CONTROL_IDENTITIES:
        kubeconfig.write(folder / f"{identity}.conf", state.pki, identity)
    network.ensure_base()
    machine.start(CONTROL.name, CONTROL, control_plane.boot(tools, state.pki, folder), folder)
    kubectl = Kubectl(tools["kubectl"], state.kubeconfig)
    kubectl.wait_for_api()
    kubectl.apply(addons.objects())
    return kubectl


def down(state: State, steps: Steps) -> None:
    """Remove the lab and all it left on the host; does nothing where there is none.

    Raises:
        LabError: It is another checkout's and alive, or something would not go.
    """
    requirements.check_root()
    if state.owner():
        state.claim()
    with steps("machines"):
        healers.end(state)
        guests.stop_all(state)
        for one in (*NODES, CONTROL):
            machine.kill(state.folder(one))
    with steps("network"):
        network.remove_all()
    with steps("control groups and files"):
        cgroups.remove()
        sysctls.restore(state.root)
        _forget_mount_points(state)
        toolchain.remove_left_over()
        shutil.rmtree(state.root, ignore_errors=False) if state.root.exists() else None


def status(state: State) -> dict[str, Any]:
    """Return what runs: machines with zone, power and readiness, guests, owner and the API server's health."""
    running = state.running()
    readiness: dict[str, tuple[str, str]] = {}
    api = "down"
    with contextlib.suppress(LabError):
        if CONTROL.name in running:
            kubectl = Kubectl(toolchain.ensure(["kubectl"])["kubectl"], state.kubeconfig)
            api = "ready" if kubectl.try_run("get", "--raw", "/readyz").returncode == 0 else "not ready"
            readiness = kubectl.node_readiness() if api == "ready" else {}
    rows = [
        {
            "node": which.name,
            "zone": which.zone,
            "address": which.address,
            "power": "on" if which.name in running else "off",
            "link": "up" if network.is_plugged(which) else "down",
            "ready": readiness.get(which.name, ("Unknown", ""))[0],
        }
        for which in NODES
    ]
    is_up = api == "ready" and all(row["ready"] == "True" for row in rows)
    return {
        "is_up": is_up,
        "checkout": state.owner(),
        "api": api,
        "nodes": rows,
        "guests": [name for name in running if name not in {CONTROL.name, *(n.name for n in NODES)}],
        "kubeconfig": str(state.kubeconfig),
    }


def _remember_mount_points(state: State) -> None:
    """Note which mount points the lab makes, before it makes them, so that `down` takes just those away."""
    note = state.root / "mount-points.json"
    made = _noted_mount_points(state) | {str(parent) for point in MOUNT_POINTS for parent in _missing(point)}
    if not NETWORK_NAMES.is_mount():
        made.add(str(NETWORK_NAMES))
    note.write_text(json.dumps(sorted(made)))


def _noted_mount_points(state: State) -> set[str]:
    note = state.root / "mount-points.json"
    return set(cast("list[str]", json.loads(note.read_text()))) if note.exists() else set()


def _missing(path: Path) -> Iterator[Path]:
    while not path.exists():
        yield path
        path = path.parent


def _forget_mount_points(state: State) -> None:
    shutil.rmtree("/run/routerfleet", ignore_errors=True)
    is_ours = str(NETWORK_NAMES) in _noted_mount_points(state)
    if is_ours and NETWORK_NAMES.is_mount() and not any(NETWORK_NAMES.iterdir()):
        subprocess.run(["umount", str(NETWORK_NAMES)], check=True)
    for path in sorted(_noted_mount_points(state), reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106  only where empty: somebody else may use it by now
