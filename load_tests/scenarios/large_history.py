"""Workflows with very large histories, which a worker that takes them over has to read whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from load_tests.models import OperationKind
from load_tests.scenarios.scenario import includes
from load_tests.scenarios.session import Due, Session
from load_tests.workload.growth import Growth, GrowthInput


class LargeHistory:
    """See module."""

    name: ClassVar[str] = "large-history"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {"steps": 2000}
    """Steps of each workflow, three events each; the server allows 51,200 events."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._input = GrowthInput(int(options["steps"]))

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Start a workflow with very many steps, and wait for it."""
        await self._session.start_and_wait(
            Growth.__name__,
            self._session.workflow_id(due.tenant, "growth", due.number),
            self._input,
            due,
            expected=includes(
                {"steps": self._input.steps, "bytes_seen": self._input.steps * self._input.bytes_each}
            ),
        )

    async def finish(self) -> None:
        """Nothing is left."""
