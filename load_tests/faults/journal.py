"""The journal of a run's faults: which were intended, took effect, were healed, and what undoes each.

One JSON object per line in `faults.jsonl` of the run's folder:
    {"id", "event": "intended", "at", "fault", "undo": [[word, ...], ...]}   before anything is touched
    {"id", "event": "in effect", "at", "proof", "could_not": [...]}
    {"id", "event": "healed", "at"}
Times are seconds since the Unix epoch. `undo` holds whole command lines, so that healing needs this file and
nothing else of the run; each is safe to repeat and safe where the fault never came about.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load_tests.errors import LoadTestError
from load_tests.faults import commands

FILE = "faults.jsonl"
RETRY_SECONDS = 1.0
HEAL_SECONDS = 300.0
"""After which healing is given up: within it a zone boots and its node is Ready again."""

Undo = Sequence[Sequence[str]]


@dataclass
class Entry:
    """One fault of the journal.

    Attributes:
        id: Unique in the journal.
        fault: What it is, for people.
        undo: Commands that undo it, in order.
        intended_at: When it was going to be brought about.
        effect_at: When it took effect; None if it is not known to have.
        healed_at: When it was undone; None if it is not.
        proof: What showed that it took effect.
    """

    id: str
    fault: str
    undo: Undo
    intended_at: float
    effect_at: float | None = None
    healed_at: float | None = None
    proof: str = ""
    could_not: Sequence[str] = field(default_factory=lambda: ())


class Journal:
    """The journal in one folder; several processes may append to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / FILE

    def intend(self, fault: str, undo: Undo) -> str:
        """Note a fault before it is brought about; returns its id."""
        one = secrets.token_hex(4)
        self._append(id=one, event="intended", fault=fault, undo=[list(words) for words in undo])
        return one

    def took_effect(self, one: str, at: float, proof: str, could_not: Sequence[str] = ()) -> None:
        """Note that a fault is in effect since `at`."""
        self._append(id=one, event="in effect", at=at, proof=proof, could_not=list(could_not))

    def entries(self) -> list[Entry]:
        """Return every fault of the journal, oldest first; none where there is no journal."""
        found: dict[str, Entry] = {}
        for line in self._lines():
            one, event = line["id"], line["event"]
            if event == "intended":
                found[one] = Entry(one, line["fault"], line["undo"], line["at"])
            elif event == "in effect":
                found[one].effect_at, found[one].proof = line["at"], line["proof"]
                found[one].could_not = line["could_not"]
            else:
                found[one].healed_at = line["at"]
        return list(found.values())

    def pending(self) -> list[Entry]:
        """Return the faults that are not known to be healed, youngest first: the order to undo them in."""
        return [entry for entry in reversed(self.entries()) if entry.healed_at is None]

    def heal(self, one: str, seconds: float = HEAL_SECONDS) -> None:
        """Undo a fault unless that is done, and note it; tries again what fails.

        Waits first for the commands under way: they might bring about what is being undone.

        Raises:
            LoadTestError: A command still fails after `seconds`; the fault stays pending.
        """
        entry = next((entry for entry in self.pending() if entry.id == one), None)
        if entry is None:
            return
        deadline = time.monotonic() + seconds
        is_quiet = not entry.undo or commands.wait_until_none(self.folder)
        for command in entry.undo:
            self._undo(command, deadline)
        if not is_quiet and not commands.wait_until_none(self.folder):
            raise LoadTestError(
                f"{entry.fault}: undone, but a command that changes the cluster is still under way; "
                f"run python -m load_tests.faults.heal {self.folder} when it has ended"
            )
        if not is_quiet:
            for command in entry.undo:
                self._undo(command, deadline)
        self._append(id=one, event="healed")

    def _undo(self, command: Sequence[str], deadline: float) -> None:
        while True:
            try:
                commands.run(command)
            except LoadTestError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return

    def _append(self, **what: object) -> None:
        # A line of its own even after a line that a crash cut short; on disk before anything is touched.
        text = "\n" + json.dumps({"at": time.time(), **what}) + "\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            text = self._file.read_text()
        except FileNotFoundError:
            return
        known: set[str] = set()
        for line in text.splitlines():
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue  # empty, or cut short by a crash: what it was going to announce did not begin
            if value["event"] == "intended":
                known.add(value["id"])
            if value["id"] in known:
                yield value
