"""Power of the lab's machines: start one, kill it as a power cut would, ask whether it runs.

A machine is a network namespace (see `network`) and one process tree in namespaces of its own whose
first process is `init`. What identifies the tree is the pid of its `unshare` with that process's start
time, so that a reused pid is never taken for a machine, nor killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.cluster.layout import Machine
from lab.errors import LabError

INIT = Path(__file__).with_name("init.py")
PYTHON = str(Path(sys.executable).resolve())
"""The interpreter itself, not a virtual environment's link to it: whoever calls, a machine boots the same."""
KILL_SECONDS = 20.0
BOOT_FILE = "boot.json"


@dataclass(frozen=True)
class Service:
    """A process that the machine keeps running.

    Attributes:
        name: Name of its log file.
        argv: Command line.
        ready: Command that exits 0 once the next service may start; None: at once.
    """

    name: str
    argv: Sequence[str]
    ready: Sequence[str] | None = None


@dataclass(frozen=True)
class Boot:
    """What `init` is told when the machine starts; see its module docstring."""

    hostname: str
    logs: str
    services: Sequence[Service]
    directories: Sequence[str] = ()
    binds: Mapping[str, str] = field(default_factory=lambda: {})
    tmpfs: Sequence[str] = ()


def start(name: str, machine: Machine, boot: Boot, folder: Path) -> None:
    """Start process tree `name` in the machine's network namespace; one that runs just that already is left alone.

    Args:
        name: Name of the tree: the machine's own, or that of one guest process on it.
        machine: Whose network namespace it lives in.
        boot: What it runs.
        folder: Where its specification, pid and console log are kept.
    """
    wanted = json.dumps(asdict(boot), indent=1)
    file = folder / BOOT_FILE
    if is_running(folder) and file.exists() and file.read_text() == wanted:
        return
    kill(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(file, wanted)
    _launch(name, machine, folder)


def restart(folder: Path, machine: Machine) -> None:
    """Start the tree whose state is in `folder` as it was started last, unless it runs or was stopped for good."""
    if (folder / BOOT_FILE).exists() and not is_running(folder):
        _launch(folder.name, machine, folder)


def _launch(name: str, machine: Machine, folder: Path) -> None:
    command = [
        "nsenter", f"--net=/run/netns/{machine.netns}",
        "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL",
        PYTHON, "-I", str(INIT), str(folder / BOOT_FILE),
    ]  # fmt: skip
    with (folder / "console.log").open("ab") as console:
        # In / and in a session of its own: it outlives the shell, and pins no checkout and no terminal.
        process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    identity = {"name": name, "pid": process.pid, "started": _start_time(process.pid)}
    _write_whole(folder / "pid.json", json.dumps(identity))
    if process.poll() is not None:
        raise LabError(
            f"machine {name}: ended at once with {process.returncode}; see {folder / 'console.log'}"
        )


def is_running(folder: Path) -> bool:
    """Tell whether the process tree whose state is in `folder` is alive."""
    return _pid(folder) is not None


def inner_pid(folder: Path) -> int | None:
    """Return the host's pid of the tree's `init`, to enter its namespaces by; None if it does not run."""
    pid = _pid(folder)
    if pid is None:
        return None
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def kill(folder: Path) -> None:
    """Kill every process of the tree at once, as a power cut does, and wait until none is left.

    Raises:
        LabError: Processes are still there after `KILL_SECONDS`.
    """
    pid = _pid(folder)
    if pid is not None:
        init = inner_pid(folder)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        # The init's pid disappears only when its whole pid namespace has ended.
        while any(p is not None and _start_time(p) is not None for p in (pid, init)):
            _reap(pid)
            if time.monotonic() > deadline:
                raise LabError(
                    f"process {pid} of {folder.name} did not end within {KILL_SECONDS:.0f} s of SIGKILL"
                )
            time.sleep(0.02)
    (folder / "pid.json").unlink(missing_ok=True)


def _pid(folder: Path) -> int | None:
    try:
        identity = json.loads((folder / "pid.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    started = _start_time(identity["pid"])
    return identity["pid"] if started is not None and started == identity["started"] else None


def _start_time(pid: int) -> int | None:
    """Start time of a live process in clock ticks since boot, field 22 of proc(5) stat; None for a dead one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)
