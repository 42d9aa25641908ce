"""The guard: a process that outlives the runner and undoes what it left. `python -m load_tests.faults.guard FOLDER PID`.

It holds the reading end of a pipe whose writing end only the runner has, and a handle on the runner's process;
whichever ends first tells that the runner is gone, however it ended. The pipe alone would not do: a process that the
runner forked may hold the writing end. The handle alone would not either: not every system has one.
The guard lives in a session of its own, so that what ends the runner's (an interrupt, a lost terminal) spares it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load_tests.errors import LoadTestError
from load_tests.faults.heal import heal_all
from load_tests.faults.journal import Journal

MODULE = "load_tests.faults.guard"
LOG_FILE = "guard.log"
READY = "guarding"


@contextmanager
def guarding(folder: Path) -> Iterator[Journal]:
    """Have a guard over everything inside; yields the journal that faults are noted in.

    Leaving waits for the guard, which undoes what is left then too.

    Raises:
        LoadTestError: The guard did not start, so that no fault may be brought about.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = Path(__file__).resolve().parents[2]
    with (folder / LOG_FILE).open("ab") as log:
        guard = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(folder.absolute()), str(os.getpid())],
            cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True,
        )  # fmt: skip
    with guard:
        assert guard.stdin is not None  # noqa: S101  asked for as a pipe above
        assert guard.stdout is not None  # noqa: S101
        if guard.stdout.readline().strip() != READY:
            raise LoadTestError(f"the guard of {folder} did not start; see {folder / LOG_FILE}")
        try:
            yield Journal(folder)
        finally:
            # A guard that was killed has closed its end.
            with contextlib.suppress(BrokenPipeError):
                guard.stdin.close()


def main(folder: str, runner: str) -> int:
    """Wait for the runner's end, undo what it left; 0 where nothing is left."""
    with _watched(int(runner)) as sources:
        print(READY, flush=True)
        _say(f"guarding the run of process {runner}")
        # Another parent means that the runner went before there was a handle on it.
        if os.getppid() == int(runner):
            select.select(sources, [], [])
    left = Journal(Path(folder)).pending()
    _say(f"process {runner} has ended or let go; left: {', '.join(e.fault for e in left) or 'nothing'}")
    healed, problems = heal_all(Path(folder))
    for text in (*(f"healed {one}" for one in healed), *problems):
        _say(text)
    return 2 if problems else 0


@contextmanager
def _watched(runner: int) -> Iterator[list[int]]:
    """Yield descriptors of which one becomes readable when the runner has gone or let go."""
    sources = [sys.stdin.fileno()]
    handle: int | None = None
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(runner)
            sources.append(handle)
    try:
        yield sources
    finally:
        if handle is not None:
            os.close(handle)


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
