"""Settings of the host's kernel that a node's software overwrites: noted before the first boot, put back by `down`.

Kubelet writes them at every start. They have no namespace, so a node cannot be given its own; it refuses to
start where it may not write them. Those of kube-proxy are left alone: its flags are 0, see `node`.
"""

from __future__ import annotations

import json
from pathlib import Path

from lab.cluster.process import write_whole

WRITTEN = {
    "vm.overcommit_memory": "1",
    "vm.panic_on_oom": "0",
    "kernel.panic": "10",
    "kernel.panic_on_oops": "1",
    "kernel.keys.root_maxkeys": "1000000",
    "kernel.keys.root_maxbytes": "25000000",
}
"""What kubelet 1.34 writes: setupKernelTunables of pkg/kubelet/cm/container_manager_linux.go."""
NOTE = "sysctls.json"
PROC = Path("/proc/sys")


def remember(root: Path, proc: Path = PROC) -> None:
    """Note the values in the lab's state folder `root`, unless they are noted or a node may have written them."""
    note = root / NOTE
    if not note.exists() and not (root / "machines").exists():
        write_whole(note, json.dumps(values(proc)))


def values(proc: Path = PROC) -> dict[str, str]:
    """Return the present values of those that this kernel has."""
    files = {name: _file(proc, name) for name in WRITTEN}
    return {name: file.read_text().strip() for name, file in files.items() if file.exists()}


def restore(root: Path, proc: Path = PROC) -> None:
    """Put the noted values back where kubelet's still stand: another value is somebody else's.

    Does nothing without a note: the values from before are then unknown.
    """
    note = root / NOTE
    if not note.exists():
        return
    before: dict[str, str] = json.loads(note.read_text())
    for name, value in before.items():
        file = _file(proc, name)
        present = file.read_text().strip()
        if present != value and present == WRITTEN.get(name):
            file.write_text(value)


def _file(proc: Path, name: str) -> Path:
    return proc / name.replace(".", "/")
