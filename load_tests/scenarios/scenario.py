"""What a scenario is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from load_tests.errors import LoadTestError
from load_tests.models import OperationKind
from load_tests.scenarios.session import Due, Session


class Scenario(Protocol):
    """One kind of load. Each generator process has its own and sends its part of the plan."""

    name: ClassVar[str]
    """On the command line."""
    kind: ClassVar[OperationKind]
    """What an arrival asks for."""
    defaults: ClassVar[Mapping[str, float]]
    """Every number that `--set` changes, with its default."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None: ...

    async def prepare(self, due: Sequence[Due]) -> None:
        """Make ready what the operations need; before the run begins, so it may take its time."""
        ...

    async def perform(self, due: Due) -> None:
        """Send one operation that is due now, and wait for what follows from it."""
        ...

    async def finish(self) -> None:
        """End what was begun in `prepare`; after the last operation has ended."""
        ...


def includes(values: Mapping[str, object]) -> str:
    """Return the expectation of a result that has these fields, whatever else it has (`Operation.expected`)."""
    return json.dumps({"$includes": dict(values)}, sort_keys=True)


def parse_options(name: str, defaults: Mapping[str, float], pairs: Sequence[str]) -> dict[str, float]:
    """Return a scenario's numbers: its defaults, and what `KEY=NUMBER` says otherwise.

    Raises:
        LoadTestError: When the key is none of the scenario's or the value no number, 0 or more.
    """
    values = dict(defaults)
    for pair in pairs:
        key, _, text = pair.partition("=")
        if key not in defaults:
            known = ", ".join(f"{key} (default {value:g})" for key, value in defaults.items()) or "nothing"
            raise LoadTestError(f"--set: {key!r} is not known to {name}; it takes {known}")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise LoadTestError(f"--set: {key}={text!r} must be a number, 0 or more")
        values[key] = number
    return values
