"""Folders that appear whole or not at all, and the lock that makes two runs wait for each other.

Shared by tools and images. What is published under a name never changes; a run that is killed
leaves only a temporary folder, which the next run under the same lock removes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

_TEMPORARY = ".making-"


@contextmanager
def locked(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path`; call `on_wait` once when another process holds it.

    The kernel drops the lock when the holder dies, so a killed run never blocks the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def making(root: Path, label: str) -> Iterator[Path]:
    """Give a temporary folder under `root` and remove it afterwards, with those of killed runs.

    Call it only while holding the lock that covers `label`.
    """
    root.mkdir(parents=True, exist_ok=True)
    prefix = f"{_TEMPORARY}{label}."
    for stale in root.glob(f"{prefix}*"):
        _refuse_mounts(stale)
        shutil.rmtree(stale)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    folder.chmod(0o755)
    try:
        yield folder
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise LabError(
            f"disk full at {root} while making {label}: free some space and run this again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(made: Path, final: Path) -> None:
    """Move a finished file or folder to its final name in one step, its bytes on disk first."""
    _sync(made)
    final.parent.mkdir(parents=True, exist_ok=True)
    made.rename(final)


def _refuse_mounts(stale: Path) -> None:
    """Never delete through a mount: what is below may be the machine's own."""
    mounted = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if inside := [point for point in mounted if Path(point).is_relative_to(stale)]:
        raise LabError(
            f"a killed run left {inside[0]} mounted: umount --recursive {inside[0]}, then run this again"
        )


def _sync(path: Path) -> None:
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
