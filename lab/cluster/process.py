"""Processes that outlive the command which started them: found again by any later command, ended by pid.

What identifies one is its pid with its start time, so that a reused pid is never taken for it, nor killed.
Where that note is missing, because the command died before it wrote it, the process table is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

KILL_SECONDS = 20.0


def note(file: Path, pid: int, **more: object) -> None:
    """Write down who runs, whole or not at all."""
    write_whole(file, json.dumps({**more, "pid": pid, "started": start_time(pid)}))


def noted(file: Path) -> int | None:
    """Return the pid of the live process that a note names; None without one."""
    try:
        identity = json.loads(file.read_text())
        pid, started = identity["pid"], identity["started"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        return None
    return pid if started is not None and start_time(pid) == started else None


def find(is_wanted: Callable[[Sequence[str]], bool]) -> int | None:
    """Return a live process by its command line, a list of at least one word."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            words = os.fsdecode((proc / "cmdline").read_bytes()).rstrip("\0").split("\0")
        except OSError:
            continue
        if is_wanted(words) and start_time(int(proc.name)) is not None:
            return int(proc.name)
    return None


def start_time(pid: int) -> int | None:
    """Start time of a live process in clock ticks since boot, field 22 of proc(5) stat; None for a dead one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def end(pid: int, *others: int) -> bool:
    """SIGKILL `pid`; tell whether it and `others`, which die with it, ended within `KILL_SECONDS`."""
    waiting = {one: start_time(one) for one in (pid, *others)}
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + KILL_SECONDS
    while any(started is not None and start_time(one) == started for one, started in waiting.items()):
        _reap(pid)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
