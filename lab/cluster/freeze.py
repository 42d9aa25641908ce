"""Machines that stand still: every process of the tree is stopped (SIGSTOP), its kernel goes on.

So a frozen node still acknowledges packets and accepts connections until a backlog is full, and holds every
lock and connection it had: the failure that health checks by connection do not see. It is what a hypervisor's
pause, a swap storm or a stuck disk looks like from outside.

A process that sends a signal to "everybody" (pid -1) reaches all others of its pid namespace and of those
below it in one step that no fork slips through, save the namespace's first; that one, `init`, is stopped from
outside before, so it restarts nothing. Signals rather than the control groups' freezer: a stopped process can
still be killed, which a frozen one of version 1 cannot, so a power cut is the same on a frozen machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from lab.cluster import machine
from lab.cluster.machine import PYTHON
from lab.errors import LabError

SECONDS = 10.0
"""How long a process may take to stand still: one that waits for its disk does so first."""
STANDING = frozenset("TtZX")
"""States of proc(5) stat that are stopped, traced or dead."""


def freeze(folder: Path) -> None:
    """Stop every process of the tree whose state is in `folder`.

    Raises:
        LabError: It does not run, or a process does not stand still in time.
    """
    init = _init(folder)
    os.kill(init, signal.SIGSTOP)
    _signal_others(init, signal.SIGSTOP)
    deadline = time.monotonic() + SECONDS
    while moving := [pid for pid, state in states(init).items() if state not in STANDING]:
        if time.monotonic() > deadline:
            thaw(folder)
            raise LabError(
                f"{folder.name}: {len(moving)} processes did not stand still within {SECONDS:.0f} s"
            )
        time.sleep(0.02)


def count(folder: Path) -> int:
    """Return how many processes the tree has."""
    return len(states(_init(folder)))


def thaw(folder: Path) -> None:
    """Let every process of the tree go on; does nothing where none runs."""
    init = machine.inner_pid(folder)
    if init is None:
        return
    with contextlib.suppress(ProcessLookupError):
        _signal_others(init, signal.SIGCONT)
        os.kill(init, signal.SIGCONT)


def pause_init(folder: Path) -> None:
    """Stop only the tree's `init`, so that it restarts nothing that ends; `thaw` undoes it."""
    init = _init(folder)
    os.kill(init, signal.SIGSTOP)
    deadline = time.monotonic() + SECONDS
    while not is_paused(folder):
        if time.monotonic() > deadline:
            raise LabError(f"{folder.name}: its init did not stand still within {SECONDS:.0f} s")
        time.sleep(0.02)


def is_paused(folder: Path) -> bool:
    """Tell whether the tree's `init` stands still; False where none runs."""
    init = machine.inner_pid(folder)
    return init is not None and _state(Path(f"/proc/{init}/stat")) in ("T", "t")


def states(init: int) -> dict[int, str]:
    """Return the state letter of every process of a tree by its pid there, as the tree's own /proc tells it."""
    found: dict[int, str] = {}
    for entry in Path(f"/proc/{init}/root/proc").glob("[0-9]*"):
        if state := _state(entry / "stat"):
            found[int(entry.name)] = state
    return found


def _init(folder: Path) -> int:
    init = machine.inner_pid(folder)
    if init is None:
        raise LabError(f"{folder.name} is off: power it on first")
    return init


def _state(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _signal_others(init: int, which: signal.Signals) -> None:
    tell = f"import os; os.kill(-1, {int(which)})"
    done = subprocess.run(
        ["nsenter", f"--pid=/proc/{init}/ns/pid", PYTHON, "-I", "-c", tell],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # "No such process" is a tree that consists of its init alone.
    if done.returncode and "ProcessLookupError" not in done.stderr:
        problem = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise LabError(f"signal {which.name} to the processes of pid {init}: {problem}")
