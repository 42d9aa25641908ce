"""The API server stopped and started: the control machine's `init`, which would restart it, stands still meanwhile.

etcd, controller manager and scheduler go on, but the latter two reach nothing, so to the cluster the whole
control plane is gone, as it is in a managed cluster whose control plane is being replaced. Its address answers
and refuses connections.
"""

from __future__ import annotations

from pathlib import Path

from lab.cluster import freeze, machine, process
from lab.cluster.layout import CONTROL
from lab.cluster.state import State
from lab.errors import LabError

PROGRAM = "kube-apiserver"


def stop(state: State) -> None:
    """Kill the API server and let nothing start it again."""
    folder = state.folder(CONTROL)
    freeze.pause_init(folder)
    pid = _pid(folder)
    if pid is not None and not process.end(pid):
        raise LabError(f"{PROGRAM} {pid} did not end within {process.KILL_SECONDS:.0f} s of SIGKILL")


def start(state: State) -> None:
    """Have it started again; returns before it is ready."""
    freeze.thaw(state.folder(CONTROL))


def is_stopped(state: State) -> bool:
    """Tell whether it was stopped and nothing will start it."""
    return freeze.is_paused(state.folder(CONTROL))


def _pid(folder: Path) -> int | None:
    init = machine.inner_pid(folder)
    if init is None:
        return None
    for child in Path(f"/proc/{init}/task/{init}/children").read_text().split():
        try:
            program = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if Path(program).name == PROGRAM and process.start_time(int(child)) is not None:
            return int(child)
    return None
