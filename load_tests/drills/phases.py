"""One drill's timeline while its load is under way: steady state, injection, fault, heal, recovery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from load_tests.drills.drill import Drill
from load_tests.drills.following import Follower
from load_tests.drills.measures import Moments
from load_tests.drills.site import Site
from load_tests.drills.steady import disturbances
from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault
from load_tests.generator.crew import warm_up_seconds
from load_tests.runs.execution import LoadRun

READY_SECONDS = 300.0
"""After a heal everything has to be Ready again within five minutes."""
_POLL_SECONDS = 2.0
"""Two calls of kubectl each: on two cores that is not for nothing."""


class Phase(StrEnum):
    """What a drill is at."""

    PREPARING = "preparing"
    STEADY = "steady state"
    INJECTING = "injecting the fault"
    FAULT = "fault in effect"
    HEALING = "healing"
    RECOVERY = "recovery"
    ENDING = "waiting for the last to end"
    CHECKING = "checking what the store holds"


class InvalidDrillError(Exception):
    """The drill shows nothing: it was not steady before, or the fault was not injected."""


@dataclass
class Timeline:
    """How far a drill is. Times are seconds since the Unix epoch, 0 until they are known."""

    phase: Phase = Phase.PREPARING
    begin: float = 0.0
    injected: float = 0.0
    healed: float = 0.0
    effect: Effect | None = None
    broken: str = ""
    """What did not end as it should have."""


class Phases:
    """Takes a load run through a drill's phases, once."""

    def __init__(self, drill: Drill, run: LoadRun, timeline: Timeline, follower: Follower) -> None:
        self._drill, self._run, self._follower = drill, run, follower
        self._timeline = timeline

    async def pass_through(self, fault: Fault) -> None:
        """Begin the load, wait for its steady state, inject and heal; the recovery is still to come then.

        The fault is healed however this ends.

        Raises:
            InvalidDrillError: The state was not steady, or the fault was not injected.
            LoadTestError: The fault could not be healed; its journal keeps it for the guard.
        """
        timeline, phases = self._timeline, self._drill.phases
        timeline.begin = self._run.start()
        timeline.phase = Phase.STEADY
        steady_until = timeline.begin + phases.steady_seconds
        await self._until(steady_until)
        if problems := self._disturbances():
            raise InvalidDrillError("; ".join(problems))
        timeline.phase, timeline.injected = Phase.INJECTING, self._run.clock.now()
        async with AsyncExitStack() as healing:
            try:
                timeline.effect = await healing.enter_async_context(fault)
            except LoadTestError as error:
                raise InvalidDrillError(f"the fault was not injected: {error}") from error
            timeline.phase = Phase.FAULT
            await self._outlast(fault, steady_until + phases.fault_seconds)
            timeline.phase = Phase.HEALING
        timeline.phase, timeline.healed = Phase.RECOVERY, self._run.clock.now()

    def moments(self) -> Moments:
        """Return when what happened; of a drill whose fault was healed."""
        timeline, settings = self._timeline, self._run.settings
        if timeline.effect is None:
            raise ValueError("the fault was never in effect")
        return Moments(
            begin=timeline.begin,
            steady_from=timeline.begin + warm_up_seconds(settings.seconds),
            injected=timeline.injected,
            in_effect=timeline.effect.at,
            healed=timeline.healed,
            end=timeline.begin + settings.seconds,
        )

    def _disturbances(self) -> list[str]:
        warm = self._timeline.begin + warm_up_seconds(self._run.settings.seconds)
        return disturbances(self._follower.operations(), self._run.idleness, warm, self._run.clock.now())

    async def _outlast(self, fault: Fault, until: float) -> None:
        """Wait for the end of the fault's phase, and of the fault where that ends by itself."""
        try:
            await fault.until_over()
        except LoadTestError as error:
            self._timeline.broken = f"the fault did not end: {error}"
        if not _ends_by_itself(fault):
            await self._until(until)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._run.clock.now()))


def _ends_by_itself(fault: Fault) -> bool:
    return type(fault).until_over is not Fault.until_over


async def until_ready(
    site: Site, seconds: float = READY_SECONDS, now: Callable[[], float] = time.monotonic
) -> tuple[float | None, list[str]]:
    """Wait until everything is Ready; return how long that took, or None and what is not after `seconds`."""
    start = now()
    while True:
        left = await asyncio.to_thread(site.not_ready)
        if not left:
            return round(now() - start, 1), []
        if now() - start > seconds:
            return None, left
        await asyncio.sleep(_POLL_SECONDS)
