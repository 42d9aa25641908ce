"""Replays histories while they are being downloaded, so that none has to be kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import cache
from types import TracebackType
from typing import Self

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

_WAITING_MAX = 8
"""Histories that wait for their replay; a large one is tens of megabytes."""


class Replays:
    """Replays what it is offered against the workflows' code of today.

    `failures` says what became of each history, by run id: empty when it fits.
    """

    def __init__(self, workflows: Sequence[type], converter: DataConverter) -> None:
        self._workflows = list(workflows)
        self._names = {_name(workflow) for workflow in workflows}
        self._converter = converter
        self._waiting = asyncio.Queue[WorkflowHistory | None](_WAITING_MAX)
        self._task: asyncio.Task[None] | None = None
        self.failures: dict[str, str] = {}
        self.unknown_types: set[str] = set()

    async def __aenter__(self) -> Self:
        if self._workflows:
            self._task = asyncio.create_task(self._replay())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        if kind is not None:
            self._task.cancel()
        else:
            await self._offer(self._task, None)
        await asyncio.gather(self._task, return_exceptions=kind is not None)

    async def replay(self, workflow_type: str, history: WorkflowHistory) -> None:
        """Have a history replayed, unless there is no code for it; waits while too many wait already."""
        if self._task is None or workflow_type not in self._names:
            self.unknown_types.add(workflow_type)
            return
        await self._offer(self._task, history)

    async def _offer(self, task: asyncio.Task[None], history: WorkflowHistory | None) -> None:
        """Queue a history; a replayer that has broken takes nothing more, so its error comes up here."""
        offer = asyncio.create_task(self._waiting.put(history))
        await asyncio.wait({offer, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            offer.cancel()
            task.result()

    async def _replay(self) -> None:
        replayer = Replayer(
            workflows=self._workflows,
            data_converter=self._converter,
            # The sandbox guards against what a workflow does while it runs; here it would only cost time.
            workflow_runner=UnsandboxedWorkflowRunner(),
            runtime=_runtime(),
        )
        async with replayer.workflow_replay_iterator(self._histories()) as results:
            async for result in results:
                failure = result.replay_failure
                self.failures[result.history.run_id] = f"{failure!r:.300}" if failure else ""

    async def _histories(self) -> AsyncIterator[WorkflowHistory]:
        while (history := await self._waiting.get()) is not None:
            yield history


@cache
def _runtime() -> Runtime:
    """Return a runtime that writes no warnings: what does not fit is in the report, and stdout may be JSON."""
    errors = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=errors), worker_heartbeat_interval=None)


def _name(workflow: type) -> str:
    """Return the name under which a workflow is registered; the SDK has no public way to ask."""
    definition = getattr(workflow, "__temporal_workflow_definition", None)
    return getattr(definition, "name", None) or workflow.__name__
