"""Looks at some histories during the run, so that one that has gone back afterwards is noticed.

A database whose replica was promoted without the last writes shows every workflow, and has still lost what
was acknowledged; only who has seen the history before can tell. What was seen last matters most, so a workflow
that has ended makes room for a younger one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from load_tests.checker.bounded import bounded
from load_tests.checker.facts import digests_of
from load_tests.checker.observations import Digest, Sample, Target
from load_tests.checker.reading import GoneError, UnreadableError, history

_NO_BUDGET = 0.0
"""A look that fails is not repeated: the next one comes soon."""
_CONCURRENCY = 8
"""Looks at a time: one that hangs for its 5 seconds holds up no other."""
_ENDED_KEPT = 1000
"""Samples of workflows that have ended: the youngest."""
_EVENTS_PER_REST = 200
"""A history is looked at that much less often for every so many events: each look reads all of it."""
_RESTS_MAX = 15
"""Rounds that a history in which nothing happens is left alone."""
_ENDS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)


@dataclass
class _Watched:
    """One history and what was seen of it."""

    target: Target
    samples: list[Sample] = field(default_factory=list[Sample])
    rests: int = 0
    """Rounds until the next look."""
    idle: int = 0
    """Rounds it was left alone last, because nothing had happened."""

    def keep(self, digests: tuple[Digest, ...]) -> None:
        """Keep what was seen; it takes the place of what it continues."""
        before = self.samples[-1].digests if self.samples else ()
        is_unchanged = bool(before) and digests == before
        self.idle = min(_RESTS_MAX, 2 * self.idle + 1) if is_unchanged else 0
        self.rests = self.idle + len(digests) // _EVENTS_PER_REST
        if before and digests[: len(before)] == before:
            self.samples.pop()
        self.samples.append(Sample(self.target, time.time(), digests))


class Sampler:
    """Polls the histories that it was told of while the block runs.

    Args:
        clients: One of each namespace.
        limit: Open histories at a time. Default 50, so that the looking is no load of its own.
        interval_seconds: Between two rounds.
    """

    def __init__(
        self, clients: Mapping[str, Client], *, limit: int = 50, interval_seconds: float = 1.0
    ) -> None:
        self._clients = clients
        self._limit = limit
        self._interval_seconds = interval_seconds
        self._watched: dict[Target, _Watched] = {}
        self._ended = deque[_Watched](maxlen=_ENDED_KEPT)
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self.missed = 0
        """Looks that failed, as they do while something is broken."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """What was seen: of each run the longest history, and each that did not continue the one before."""
        found = [sample for one in (*self._ended, *self._watched.values()) for sample in one.samples]
        return tuple(sorted(found, key=lambda sample: sample.taken))

    def watch(self, namespace: str, workflow_id: str, run_id: str) -> bool:
        """Look at an acknowledged run from now on, if there is room.

        Returns:
            False once the sampler has ended, so that it need not be told of any more.
        """
        target = Target(namespace, workflow_id, run_id)
        if len(self._watched) < self._limit:
            self._watched.setdefault(target, _Watched(target))
        return not self._is_over

    async def look(self) -> None:
        """Look once at every history whose turn it is."""
        due = [one for one in self._watched.values() if one.rests <= 0]
        for one in self._watched.values():
            one.rests -= 1
        await bounded(_CONCURRENCY, due, self._look_at)

    async def _look_at(self, one: _Watched) -> None:
        try:
            events = await history(self._clients[one.target.namespace], one.target, _NO_BUDGET)
        except GoneError:
            # Its start was acknowledged, so there was a history: what is gone now has gone back.
            one.keep(())
        except UnreadableError:
            self.missed += 1
        else:
            one.keep(digests_of(events))
            if _has_ended(events):
                self._ended.append(self._watched.pop(one.target))

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._interval_seconds)


def _has_ended(events: Sequence[HistoryEvent]) -> bool:
    return events[-1].event_type in _ENDS
