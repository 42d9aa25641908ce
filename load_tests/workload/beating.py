"""A long step that shows that it lives: what a killed worker leaves is taken up where it was."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

HEARTBEAT_SECONDS = 5.0
"""After so long without a sign the server gives the step to another worker."""


@dataclass(frozen=True)
class BeatingInput:
    """Input of `Beating` and of its step."""

    beats: int
    """How often the step shows that it lives before it ends."""
    every_seconds: float = 1.0


@dataclass(frozen=True)
class BeatingOutput:
    """Output of `Beating` and of its step."""

    beats: int
    """Over all attempts."""


@activity.defn
async def beat(beating: BeatingInput) -> BeatingOutput:
    """Beat so often, going on from what the last attempt said it had done."""
    details = activity.info().heartbeat_details
    done = int(details[0]) if details else 0
    while done < beating.beats:
        await asyncio.sleep(beating.every_seconds)
        done += 1
        activity.heartbeat(done)
    return BeatingOutput(done)


@workflow.defn
class Beating:
    """Has one long step done."""

    @workflow.run
    async def run(self, beating: BeatingInput) -> BeatingOutput:
        """Wait for the step, over any number of workers that die under it."""
        return await workflow.execute_activity(
            beat,
            beating,
            start_to_close_timeout=timedelta(seconds=beating.beats * beating.every_seconds + 60),
            heartbeat_timeout=timedelta(seconds=HEARTBEAT_SECONDS),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=2)
            ),
        )
