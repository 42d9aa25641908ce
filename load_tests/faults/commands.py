"""Commands that change the cluster, run so that whoever heals can wait until none is under way.

A command that a dead runner has started goes on without it, and could bring a fault about after it was healed. So
each holds a lock on a file of the run's folder, by a descriptor that the command inherits: the kernel drops it
when the last process that has it ends, however that ends.
"""

from __future__ import annotations

import fcntl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from load_tests.errors import LoadTestError

LOCK_FILE = "injecting.lock"
UNDER_WAY_SECONDS = 40.0
"""How long to wait for commands under way: the lab's slowest fault takes a few seconds, and a healed fault has
to be gone within a minute."""
COMMAND_SECONDS = 240.0
"""Far above what any command here takes: powering a zone on waits up to 180 s for its node."""


def run(command: Sequence[str], folder: Path | None = None, seconds: float = COMMAND_SECONDS) -> str:
    """Run a command and return its standard output.

    Args:
        command: Its words.
        folder: Folder of the run whose lock it holds; None for one that changes nothing, or undoes.
        seconds: After which it is killed.

    Raises:
        LoadTestError: It failed; carries the last line it said.
    """
    if folder is None:
        return _run(command, (), seconds)
    with (folder / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return _run(command, (lock.fileno(),), seconds)


def _run(command: Sequence[str], descriptors: tuple[int, ...], seconds: float) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            pass_fds=descriptors, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LoadTestError(f"{shown(command)}: not done after {seconds:.0f} s") from None
    except OSError as error:
        raise LoadTestError(f"{shown(command)}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise LoadTestError(f"{shown(command)}: {said[-1]}")
    return done.stdout


def wait_until_none(folder: Path, seconds: float = UNDER_WAY_SECONDS) -> bool:
    """Wait until no command that changes the cluster is under way; False where one still is after `seconds`."""
    deadline = time.monotonic() + seconds
    with (folder / LOCK_FILE).open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
            else:
                return True


def shown(command: Sequence[str]) -> str:
    """Return a command as a message names it: without the folder of its program, and not too long."""
    text = " ".join([Path(command[0]).name, *command[1:]])
    return text if len(text) <= 100 else f"{text[:97]}..."
