"""Pending heals: for each, a process that waits and then powers a zone on, and a record of it in the lab's state.

The record is written before the process starts and is its licence: a healer whose record is gone does nothing.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lab import paths
from lab.cluster import process
from lab.cluster.layout import Node
from lab.cluster.state import State
from lab.errors import LabError

MODULE = "lab.cluster.healer"


def arm(state: State, node: Node, after_seconds: float) -> Path:
    """Leave a process behind that powers the zone on after a time; returns its record.

    It outlives whoever asked for it, and writes to the node's logs what came of it.
    """
    folder = _folder(state)
    folder.mkdir(exist_ok=True)
    logs = state.folder(node) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    record = folder / f"{node.zone}-{secrets.token_hex(4)}.json"
    record.touch()
    # In / as the machines are; what it needs of the environment is made independent of the folder.
    environment = {
        **os.environ, "PYTHONPATH": str(paths.checkout_dir()), "ROUTERFLEET_CACHE": str(paths.cache_dir()),
    }  # fmt: skip
    with (logs / "healer.log").open("ab") as log:
        healer = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(state.root), node.zone, str(after_seconds), str(record)],
            cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    process.note(record, healer.pid)
    return record


def end(state: State, node: Node | None = None, but: Path | None = None) -> None:
    """End the pending heals of a zone, or all of them, except `but` and a healer that calls this itself.

    Raises:
        LabError: One would not end.
    """
    for record in sorted(_folder(state).glob(f"{node.zone if node else '*'}-*.json")):
        if record == but:
            continue
        pid = process.noted(record) or process.find(partial(_is_healer, record))
        record.unlink(missing_ok=True)
        if pid not in (None, os.getpid()) and not process.end(pid):
            raise LabError(f"healer {pid} of {record.stem} did not end: kill it and run this again")


def _is_healer(record: Path, words: Sequence[str]) -> bool:
    return MODULE in words and words[-1] == str(record)


def _folder(state: State) -> Path:
    return state.root / "healers"
