"""Pending heals: for each, a process that waits and then undoes a fault, and a record of it in the lab's state.

The record is written before the process starts and is its licence: a healer whose record is gone does nothing.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab import paths
from lab.cluster import process
from lab.cluster.fault import Fault
from lab.cluster.state import State
from lab.errors import LabError

MODULE = "lab.cluster.healer"


def arm(state: State, fault: Fault, after_seconds: float) -> Path:
    """Leave a process behind that undoes the fault after a time; returns its record.

    It outlives whoever asked for it, and writes to the machine's logs what came of it.
    """
    folder = _folder(state)
    folder.mkdir(exist_ok=True)
    logs = state.folder(fault.machine) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    record = folder / f"{fault.slug}.{secrets.token_hex(4)}.json"
    record.touch()
    # In / as the machines are; what it needs of the environment is made independent of the folder.
    environment = {
        **os.environ, "PYTHONPATH": str(paths.checkout_dir()), "ROUTERFLEET_CACHE": str(paths.cache_dir()),
    }  # fmt: skip
    command = [sys.executable, "-m", MODULE, str(state.root), str(after_seconds), *fault.words, str(record)]
    due = time.time() + after_seconds
    with (logs / "healer.log").open("ab") as log:
        healer = subprocess.Popen(
            command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    process.note(record, healer.pid, due=due)
    return record


def due(state: State, fault: Fault) -> float | None:
    """Return when the fault heals by itself, in seconds since the Unix epoch; None if nothing will heal it."""
    records = _folder(state).glob(f"{fault.slug}.*.json")
    times = (_due(record) for record in records if process.noted(record) is not None)
    return min((when for when in times if when < math.inf), default=None)


def end(state: State, fault: Fault | None = None, but: Path | None = None) -> None:
    """End the pending heals of a fault, or all of them, except `but` and a healer that calls this itself.

    Raises:
        LabError: One would not end.
    """
    for record in sorted(_folder(state).glob(f"{fault.slug if fault else '*'}.*.json")):
        if record == but:
            continue
        pid = process.noted(record) or process.find(partial(_is_healer, record))
        record.unlink(missing_ok=True)
        if pid not in (None, os.getpid()) and not process.end(pid):
            raise LabError(f"healer {pid} of {record.stem} did not end: kill it and run this again")


def _due(record: Path) -> float:
    try:
        return float(json.loads(record.read_text())["due"])
    except FileNotFoundError:  # called off just now
        return math.inf


def _is_healer(record: Path, words: Sequence[str]) -> bool:
    return MODULE in words and words[-1] == str(record)


def _folder(state: State) -> Path:
    return state.root / "healers"
