"""Operations in a file, one JSON object a line, so that a run that is cut off leaves what it knew.

An operation is written when it is sent, as unknown, and again when it has ended: of a generator that was killed,
what was under way is known to have been. The last line of a number counts, and a line cut short counts not at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from load_tests.errors import LoadTestError
from load_tests.models import ClientKind, Operation, OperationKind, Outcome

_NAMES = tuple(field.name for field in fields(Operation))
_OPTIONAL = {"key": "", "zone": "", "workflow_id": ""}
"""Left out of a line when they are empty."""


def to_line(operation: Operation) -> str:
    """Return the operation as one line of JSON; what has its default is left out."""
    # Not `asdict`: it copies deeply, at ten times the cost, in the process that must keep time.
    values = {name: value for name in _NAMES if (value := getattr(operation, name)) not in (None, "", 0)}
    return json.dumps({**values, "number": operation.number}, separators=(",", ":")) + "\n"


def from_values(values: dict[str, Any]) -> Operation:
    """Return the operation that a line's values are.

    Raises:
        ValueError: When they are no operation.
    """
    try:
        typed: dict[str, Any] = {
            **_OPTIONAL,
            **values,
            "kind": OperationKind(values["kind"]),
            "client": ClientKind(values["client"]),
            "outcome": Outcome(values["outcome"]),
        }
        return Operation(**typed)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no operation: {error}") from error


class OperationWriter:
    """Appends to one file; one process each."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, operation: Operation) -> None:
        """Append an operation; it survives the death of this process at once."""
        os.write(self._file, to_line(operation).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


def read(path: Path) -> dict[int, Operation]:
    """Return the operations of a file by number, each as it was last written.

    Raises:
        LoadTestError: When the file cannot be read, or a line that is not the last is no operation.
    """
    found: dict[int, Operation] = {}
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadTestError(f"{path}: cannot be read: {error}") from error
    lines = content.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            operation = from_values(cast("dict[str, Any]", json.loads(line)))
        except ValueError as error:
            # Only a last line without its end was cut off; anything else is not our file.
            if number == len(lines):
                continue
            raise LoadTestError(f"{path}:{number}: {line!r:.60} must be an operation ({error})") from error
        found[operation.number] = operation
    return found


def read_all(folder: Path) -> list[Operation]:
    """Return the operations of a run, by number: of the merged file, or of its processes' files if it was cut off.

    Raises:
        LoadTestError: When the folder has neither.
    """
    merged = folder / "operations.jsonl"
    parts = [merged] if merged.exists() else sorted(folder.glob("operations-*.jsonl"))
    if not parts:
        raise LoadTestError(f"{folder}: has no operations.jsonl; name the folder of a run")
    found: dict[int, Operation] = {}
    for part in parts:
        found.update(read(part))
    return [found[number] for number in sorted(found)]


def write_all(folder: Path, operations: Iterable[Operation]) -> None:
    """Write the merged file and remove the processes' own; whole or not at all."""
    fresh = folder / "operations.jsonl.new"
    with fresh.open("w", encoding="utf-8") as file:
        file.writelines(_lines(operations))
    fresh.replace(folder / "operations.jsonl")
    for part in folder.glob("operations-*.jsonl"):
        with suppress(FileNotFoundError):
            part.unlink()


def _lines(operations: Iterable[Operation]) -> Iterator[str]:
    return (to_line(operation) for operation in operations)
