"""A run's operations while it is under way, read from the files that the generator writes."""

from __future__ import annotations

import json
from pathlib import Path

from load_tests.models import Operation
from load_tests.records import from_values


class Follower:
    """Reads what was added since it last looked, so that looking stays cheap."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._operations: dict[int, Operation] = {}

    def operations(self) -> list[Operation]:
        """Return every operation so far, as it was last written; one that is under way has no `ended`."""
        for path in self._folder.glob("operations-*.jsonl"):
            self._read(path)
        return list(self._operations.values())

    def _read(self, path: Path) -> None:
        offset = self._offsets.get(path, 0)
        with path.open("rb") as file:
            file.seek(offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offsets[path] = offset + len(whole) + len(end)
        for line in whole.splitlines():
            operation = from_values(json.loads(line))
            self._operations[operation.number] = operation
