"""Running other programs: their output goes to a log, a failure becomes one line that names it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_ANSWER_SECONDS = 20
_LAST_WORDS = 300
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")


def logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    is_isolated: bool = False,
) -> None:
    """Run a command that may take minutes, writing everything it says to `log`.

    It dies with this process, also when that is killed, where `setpriv` is there to see to it.

    Args:
        command: Program and arguments.
        log: File that gets both its streams.
        cwd: Folder to run it in.
        env: Variables besides this process's own.
        is_isolated: Whether it runs in mount and process namespaces of its own, so that its mounts are
            never seen from outside and all processes it starts die with it. Needs root.

    Raises:
        LabError: The command failed; the line carries its last words and the log's path.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(
            [*_dies_with_us(), *(_ISOLATED if is_isolated else ()), *map(str, command)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code != 0:
        raise LabError(f"{Path(command[0]).name} failed with {code}: {last_words(log)} (all of it: {log})")


def answer(command: Sequence[str | Path], cwd: Path | None = None) -> str | None:
    """Return what a short command prints, both streams, or None when it cannot be run or fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ANSWER_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def first_version(text: str) -> str | None:
    """Return the first dotted number in what a version command printed."""
    found = _VERSION.search(text)
    return found.group() if found else None


def at_least(version: str, minimum: str) -> bool:
    """Compare dotted numbers part by part: 1.10 is more than 1.9."""
    return _parts(version) >= _parts(minimum)


def last_words(log: Path) -> str:
    """Return the last line of a log that says anything, shortened to fit one line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][-_LAST_WORDS:] if lines else "it said nothing"


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _dies_with_us() -> tuple[str, ...]:
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
