"""The loop that sends what is due, whatever became of what was sent before."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Sequence

from load_tests.models import OperationKind
from load_tests.scenarios.probing import probe
from load_tests.scenarios.scenario import Scenario
from load_tests.scenarios.session import Due, Session

_LOGGER = logging.getLogger(__name__)


def tune_garbage_collection() -> None:
    """Keep the garbage collector from stopping the loop.

    A full collection in a process with the SDK loaded takes some 50 ms, five times what the schedule may be off.
    What is there now is never looked at again, what a run leaves is nearly all freed by reference counts, and
    young collections of 10,000 objects take below 1 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100_000)


class Dispatcher:
    """Sends one process's part of the plan."""

    def __init__(self, session: Session, scenario: Scenario, cap: int) -> None:
        self._session = session
        self._scenario = scenario
        self._cap = cap
        self._under_way: set[asyncio.Task[None]] = set()
        self.dispatched = 0
        """Operations whose time has come, sent or not."""
        self.processor_begin = 0.0
        """Processor time of this process when it began to send, in seconds."""
        self.problems: list[str] = []
        """What a scenario raised, which is a bug of ours: the run shows nothing then."""

    async def send(self, due: Sequence[Due]) -> None:
        """Send everything when it is due; return when the last has been sent."""
        session, self.processor_begin = self._session, time.process_time()
        for item in due:
            # At least one turn of the loop for each, so that what was due before gets out.
            await asyncio.sleep(max(0.0, session.begin + item.offset - session.clock.now()))
            self.dispatched += 1
            self._launch(item)

    async def wait(self) -> None:
        """Wait for everything that is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def finish(self) -> None:
        """Let the scenario end what it began; problems with it are ours too."""
        await self._scenario.finish()

    async def cancel(self) -> None:
        """Give up what is under way: it stays recorded as unknown."""
        for task in self._under_way:
            task.cancel()
        await self.wait()

    def _launch(self, item: Due) -> None:
        if len(self._under_way) >= self._cap:
            kind = self._scenario.kind if item.zone is None else OperationKind.START
            self._session.not_sent(kind, item)
            return
        task = asyncio.create_task(self._perform(item))
        self._under_way.add(task)
        self._session.counts.under_way = len(self._under_way)
        task.add_done_callback(self._ended)

    async def _perform(self, item: Due) -> None:
        if item.zone is None:
            await self._scenario.perform(item)
        else:
            await probe(self._session, item)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._session.counts.under_way = len(self._under_way)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("an operation failed in a way it should not", exc_info=error)
            self.problems.append(repr(error))
