"""Power of the lab's machines: start one, kill it as a power cut would, ask whether it runs.

A machine is a network namespace (see `network`) and one process tree in namespaces of its own whose
first process is `init`. What identifies the tree is the pid of its `unshare`; see `process`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.cluster import process
from lab.cluster.layout import Machine
from lab.errors import LabError

INIT = Path(__file__).with_name("init.py")
PYTHON = str(Path(sys.executable).resolve())
"""The interpreter itself, not a virtual environment's link to it: whoever calls, a machine boots the same."""
BOOT_FILE = "boot.json"
PID_FILE = "pid.json"
STARTERS = ("nsenter", "unshare")
"""What the tree's first process is called: it enters the machine's network, then makes the namespaces."""


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
    process.write_whole(file, wanted)
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
        started = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    process.note(folder / PID_FILE, started.pid, name=name)
    if started.poll() is not None:
        raise LabError(
            f"machine {name}: ended at once with {started.returncode}; see {folder / 'console.log'}"
        )


def is_running(folder: Path) -> bool:
    """Tell whether the process tree whose state is in `folder` is alive."""
    return _pid(folder) is not None


def inner_pid(folder: Path) -> int | None:
    """Return the host's pid of the tree's `init`, to enter its namespaces by; None if it does not run."""
    pid = _pid(folder)
    return None if pid is None else _child(pid)


def kill(folder: Path) -> None:
    """Kill every process of the tree at once, as a power cut does, and wait until none is left.

    Raises:
        LabError: Processes are still there after `process.KILL_SECONDS`.
    """
    while (pid := _pid(folder)) is not None:
        init = _child(pid)
        # The init's pid disappears only when its whole pid namespace has ended.
        if not process.end(pid, *([] if init is None else [init])):
            raise LabError(
                f"process {pid} of {folder.name} did not end within {process.KILL_SECONDS:.0f} s of SIGKILL"
            )
    (folder / PID_FILE).unlink(missing_ok=True)


def _pid(folder: Path) -> int | None:
    def starts_it(words: Sequence[str]) -> bool:
        return words[-1] == str(folder / BOOT_FILE) and Path(words[0]).name in STARTERS

    return process.noted(folder / PID_FILE) or process.find(starts_it)


def _child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(children[0]) if children else None
