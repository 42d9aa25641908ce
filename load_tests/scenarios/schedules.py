"""Schedules: each takes a number of actions, a second apart, and every workflow it starts has to end well."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)

from load_tests.clients import USER, Patience
from load_tests.models import OperationKind, Outcome
from load_tests.scenarios.session import Due, Session
from load_tests.workload.names import QUEUE
from load_tests.workload.quick import Quick, QuickInput
from worker.tenancy import window_schedule_id

_CATCH_UP = timedelta(minutes=5)
"""As the maintenance windows have it: what an outage held up is made up for."""
_LOOK_SECONDS = 1.0


class Schedules:
    """See module."""

    name: ClassVar[str] = "schedules"
    kind: ClassVar[OperationKind] = OperationKind.QUERY
    """There is no kind of its own for a schedule: the checker follows the workflows that it started."""
    defaults: ClassVar[Mapping[str, float]] = {"actions": 3}
    """Workflows that each schedule starts, at most 10: the server remembers the last ten."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._actions = min(10, max(1, int(options["actions"])))

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Create a schedule, wait until it has started all its workflows and they have ended, and delete it."""
        schedule_id = window_schedule_id(due.tenant, f"load-{self._session.run}-{due.number}")
        if await self._create(schedule_id, due) is not Outcome.OK:
            return
        handle = self._session.client(due.tenant).get_schedule_handle(schedule_id)
        await self._wait(handle, schedule_id, due)
        await self._delete(handle, schedule_id, due)

    async def finish(self) -> None:
        """Nothing is left."""

    async def _create(self, schedule_id: str, due: Due) -> Outcome:
        client = self._session.client(due.tenant)
        action = ScheduleActionStartWorkflow(
            Quick.run, QuickInput(schedule_id), id=schedule_id, task_queue=QUEUE
        )
        schedule = Schedule(
            action=action,
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))]),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL, catchup_window=_CATCH_UP),
            state=ScheduleState(limited_actions=True, remaining_actions=self._actions),
        )

        async def send(patience: Patience) -> bool:
            try:
                await client.create_schedule(schedule_id, schedule, rpc_timeout=patience.call_timeout)
            except ScheduleAlreadyRunningError:
                # The id is this run's own, so a call before this one made it.
                return False
            return True

        answer = await self._session.attempt(
            OperationKind.QUERY, due.tenant, schedule_id, "create", send, due=due
        )
        return answer.outcome

    async def _wait(self, handle: ScheduleHandle, schedule_id: str, due: Due) -> None:
        """Wait for every action, timed from when the schedule was due, then for the workflows."""
        session = self._session

        async def send(patience: Patience) -> list[tuple[str, str]]:
            while True:
                info = (await handle.describe(rpc_timeout=patience.call_timeout)).info
                started = [
                    (run.action.workflow_id, run.action.first_execution_run_id)
                    for run in info.recent_actions
                    if isinstance(run.action, ScheduleActionExecutionStartWorkflow)
                ]
                if info.num_actions >= self._actions and len(started) >= self._actions:
                    return started
                await asyncio.sleep(_LOOK_SECONDS)

        remaining = session.begin + session.seconds + session.result_seconds - session.clock.now()
        patience = replace(USER, deadline_seconds=max(remaining, 1.0))
        intended = session.begin + due.offset
        answer = await session.attempt(
            OperationKind.QUERY,
            due.tenant,
            schedule_id,
            "actions",
            send,
            intended=intended,
            patience=patience,
        )
        for workflow_id, run_id in answer.value or ():
            await session.result(due.tenant, workflow_id, run_id, intended=intended)

    async def _delete(self, handle: ScheduleHandle, schedule_id: str, due: Due) -> None:
        async def send(patience: Patience) -> bool:
            await handle.delete(rpc_timeout=patience.call_timeout)
            return True

        await self._session.attempt(OperationKind.QUERY, due.tenant, schedule_id, "delete", send)
