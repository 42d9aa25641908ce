"""Makes a very long history: what a worker has to read anew whenever it takes the workflow over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow


@dataclass(frozen=True)
class GrowthInput:
    """Input of `Growth`."""

    steps: int
    """Three events each, and three more for each group; the server allows 51,200 events."""
    at_a_time: int = 50
    bytes_each: int = 500


@dataclass(frozen=True)
class GrowthOutput:
    """Output of `Growth`."""

    steps: int
    bytes_seen: int


@activity.defn
async def measure(text: str) -> int:
    """Return how long the text is."""
    return len(text)


@workflow.defn
class Growth:
    """Has a large number of steps done."""

    @workflow.run
    async def run(self, growth: GrowthInput) -> GrowthOutput:
        """Do them, some at a time."""
        text, seen = "x" * growth.bytes_each, 0
        for done in range(0, growth.steps, growth.at_a_time):
            group = min(growth.at_a_time, growth.steps - done)
            sizes = await asyncio.gather(*(self._step(text) for _ in range(group)))
            seen += sum(sizes)
        return GrowthOutput(growth.steps, seen)

    async def _step(self, text: str) -> int:
        return await workflow.execute_activity(measure, text, start_to_close_timeout=timedelta(seconds=10))
