"""Waits for a timer and says when it fired."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from temporalio import workflow


@dataclass(frozen=True)
class AlarmInput:
    """Input of `Alarm`."""

    seconds: float
    """How long it waits."""


@dataclass(frozen=True)
class AlarmOutput:
    """Output of `Alarm`; times are the server's, in seconds since the Unix epoch."""

    due: float
    fired: float


@workflow.defn
class Alarm:
    """Waits once."""

    @workflow.run
    async def run(self, alarm: AlarmInput) -> AlarmOutput:
        """Wait, and return when it should have fired and when it did."""
        due = workflow.now().timestamp() + alarm.seconds
        await asyncio.sleep(alarm.seconds)
        return AlarmOutput(due, workflow.now().timestamp())
