"""The lab's control groups: one branch under every hierarchy of the host, with one leaf per node.

Kubelet makes its pods' groups below its node's. Both layouts are known: one hierarchy per controller
(version 1) and the single one (version 2).
"""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

ROOT = "routerfleet"
MOUNT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")
V2_CONTROLLERS = ("cpu", "cpuset", "memory", "pids", "io")
REMOVE_SECONDS = 10.0


def hierarchies() -> list[Path]:
    """Return the mounted hierarchies that kubelet and the container runtime use."""
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    return [MOUNT / name for name in V1_CONTROLLERS if (MOUNT / name).is_dir()]


def ensure(node: str) -> None:
    """Make the node's group in every hierarchy, with the controllers or processors its children need."""
    for hierarchy in hierarchies():
        parents = [hierarchy, hierarchy / ROOT, hierarchy / ROOT / node]
        parents[-1].mkdir(parents=True, exist_ok=True)
        for parent, child in itertools.pairwise(parents):
            # cpuset, version 1: a new group has no processors until they are written.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (parent / name).exists() and (child / name).exists() and hierarchy != MOUNT:
                    (child / name).write_text((parent / name).read_text())
            if hierarchy == MOUNT:
                available = (parent / "cgroup.controllers").read_text().split()
                wanted = " ".join(f"+{name}" for name in V2_CONTROLLERS if name in available)
                (parent / "cgroup.subtree_control").write_text(wanted)


def remove(node: str | None = None) -> None:
    """Remove the groups below a node, or the whole branch of the lab; their processes have ended before.

    Raises:
        OSError: A group is still busy after `REMOVE_SECONDS`.
    """
    for branch in branches():
        top = branch / node if node else branch
        deadline = time.monotonic() + REMOVE_SECONDS
        while top.exists():
            for path in sorted(top.rglob("*"), key=lambda p: -len(p.parts)):
                if path.is_dir():
                    _remove_empty(path)
            _remove_empty(top)
            if top.exists() and time.monotonic() > deadline:
                raise OSError(f"{top}: still busy {REMOVE_SECONDS:.0f} s after its processes ended")
            if top.exists():
                time.sleep(0.05)


def branches() -> list[Path]:
    """Return the lab's branch in every hierarchy that has one.

    Looks beyond `hierarchies`: on a hybrid host the runtime also makes groups in the version 2 tree
    that is mounted beside the version 1 ones.
    """
    return [path for path in (MOUNT / ROOT, *MOUNT.glob(f"*/{ROOT}")) if path.is_dir()]


def _remove_empty(path: Path) -> None:
    # A group whose last process is just ending is busy for a moment: the caller comes round again.
    with contextlib.suppress(OSError):
        path.rmdir()
