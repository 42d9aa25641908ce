"""Timers that are due during the run, so that some fall into whatever happens meanwhile."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from load_tests.models import OperationKind
from load_tests.scenarios.session import Due, Session
from load_tests.workload.alarm import Alarm, AlarmInput


class Timers:
    """See module."""

    name: ClassVar[str] = "timers"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {"least_seconds": 1.0, "most_seconds": 60.0}
    """Shortest and longest timer; each is drawn between them, and ends before the run does."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._least, self._most = options["least_seconds"], options["most_seconds"]

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Start a workflow that waits, and wait for it."""
        draw = random.Random(f"{self._session.seed} {due.number}")  # noqa: S311 - repeatable on purpose
        remaining = self._session.seconds - due.offset
        seconds = round(draw.uniform(self._least, max(self._least, min(self._most, remaining))), 3)
        await self._session.start_and_wait(
            Alarm.__name__,
            self._session.workflow_id(due.tenant, "alarm", due.number),
            AlarmInput(seconds),
            due,
        )

    async def finish(self) -> None:
        """Nothing is left."""
