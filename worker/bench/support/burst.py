"""A light workload with real tenancy: a workflow that has a number of steps done side by side.

In place of a router a step waits, so that what is measured is how long it waited for its turn and no device.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from worker.errors import FailureType

_BUSY_PAUSE_SECONDS = (1, 2, 4, 8, 10)
"""As in `worker.workflows.router_deployment`."""


@dataclass(frozen=True)
class BurstInput:
    """Input of `Burst`."""

    steps: int
    hold_seconds: float
    """How long each step takes: what a router would."""


@dataclass(frozen=True)
class BurstOutput:
    """Output of `Burst`."""

    waits_seconds: tuple[float, ...]
    """Of each step, from when it was scheduled until its code ran."""


@activity.defn
async def touch(hold_seconds: float) -> float:
    """Take so long, and return how long it took until this began.

    Temporal's own figure ends when the server hands the step over; a worker that has taken more than it can do
    would look idle by it. Clocks are the same: all parts run on one machine.
    """
    waited = time.time() - activity.info().current_attempt_scheduled_time.timestamp()
    await asyncio.sleep(hold_seconds)
    return waited


@workflow.defn
class Burst:
    """Has steps done side by side."""

    @workflow.run
    async def run(self, burst: BurstInput) -> BurstOutput:
        """Do them all."""
        waits = await asyncio.gather(*(self._step(burst.hold_seconds) for _ in range(burst.steps)))
        return BurstOutput(tuple(waits))

    async def _step(self, hold_seconds: float) -> float:
        offers = 0
        while True:
            try:
                return await workflow.execute_activity(
                    touch,
                    hold_seconds,
                    start_to_close_timeout=timedelta(seconds=60),
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except ActivityError as error:
                cause = error.cause
                if not (isinstance(cause, ApplicationError) and cause.type == FailureType.TENANT_BUSY.value):
                    raise
            await workflow.sleep(_BUSY_PAUSE_SECONDS[min(offers, len(_BUSY_PAUSE_SECONDS) - 1)])
            offers += 1
