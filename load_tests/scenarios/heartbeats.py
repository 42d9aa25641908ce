"""Long steps with heartbeats: a worker killed under one is noticed, and the step goes on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from load_tests.models import OperationKind
from load_tests.scenarios.scenario import includes
from load_tests.scenarios.session import Due, Session
from load_tests.workload.beating import Beating, BeatingInput


class Heartbeats:
    """See module."""

    name: ClassVar[str] = "heartbeats"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {"beats": 30, "every_seconds": 1.0}
    """How often each step shows that it lives, and how far apart."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._input = BeatingInput(int(options["beats"]), options["every_seconds"])

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Start a workflow with one long step, and wait for it."""
        await self._session.start_and_wait(
            Beating.__name__,
            self._session.workflow_id(due.tenant, "beat", due.number),
            self._input,
            due,
            expected=includes({"beats": self._input.beats}),
        )

    async def finish(self) -> None:
        """Nothing is left."""
