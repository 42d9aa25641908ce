"""What the lab needs from the machine it runs on, each checked before anything is touched."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab import paths
from lab.cluster import cgroups
from lab.errors import LabError

FREE_BYTES = 6 * 2**30
"""Images on three nodes (about 2 GB), volumes and logs, with room to spare."""
COMMANDS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "hostname": "hostname",
    "sysctl": "procps",
    "bash": "bash",
}
"""Commands of the base system that the lab calls, and the Debian package of each."""


def check() -> None:
    """Check everything.

    Raises:
        LabError: One line with every problem and what mends it.
    """
    problems = list(_problems())
    if problems:
        raise LabError("; ".join(problems))


def check_root() -> None:
    """Refuse anybody but root.

    Raises:
        LabError: Not root.
    """
    if os.geteuid() != 0:
        raise LabError("user: the lab makes namespaces and mounts, so it runs as root only; use sudo")


def _problems() -> Iterator[str]:
    if platform.system() != "Linux":
        yield f"system: {platform.system()} has no namespaces; the lab runs on Linux"
        return
    if os.geteuid() != 0:
        yield "user: the lab makes namespaces and mounts, so it runs as root only; use sudo"
    lacking = sorted({package for command, package in COMMANDS.items() if shutil.which(command) is None})
    if lacking:
        yield f"commands missing: apt-get install {' '.join(lacking)}"
    if not cgroups.hierarchies():
        yield f"control groups: nothing is mounted at {cgroups.MOUNT}; mount them, as systemd does"
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "file systems: the kernel has no overlay; modprobe overlay"
    if not Path("/dev/loop-control").exists():
        yield "devices: /dev/loop-control is missing, volumes need loop devices; modprobe loop"
    free = shutil.disk_usage(_existing(paths.state_dir())).free
    if free < FREE_BYTES:
        yield (
            f"disk: {free / 2**30:.1f} GiB free at {paths.state_dir()}, {FREE_BYTES / 2**30:.0f} GiB needed; "
            "free some (go clean -cache), or set ROUTERFLEET_STATE to a larger disk"
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
