"""All generator processes of a run: started, told to begin together, followed, and ended with what there is."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from load_tests.clock import Clock
from load_tests.errors import LoadTestError
from load_tests.generator.assignment import Assignment
from load_tests.generator.processor import Idleness, watch_processors
from load_tests.generator.self_check import Quality, quality_of
from load_tests.histograms import Latencies

_COMMAND = (sys.executable, "-m", "load_tests.generator")
_LEAD_SECONDS = 0.5
"""From the word to begin until the first operation can be due: the word has reached everybody by then."""
_LINE_BYTES_MAX = 16 * 1024 * 1024
"""Of what a process says: its histograms are some 100 kB."""
_LEAVE_SECONDS = 10.0
_WARM_UP_SHARE = 0.1
_WARM_UP_SECONDS_MAX = 20.0


def warm_up_seconds(seconds: float) -> float:
    """Return what of a run is left out of its steady state: caches, connections, first workflows.

    A tenth of it, at most 20 s: what a run of ten minutes has to warm up is no more than what one of three has.

    Args:
        seconds: How long operations are sent.
    """
    return min(_WARM_UP_SHARE * seconds, _WARM_UP_SECONDS_MAX)


@dataclass
class _Member:
    """One process."""

    assignment: Assignment
    process: asyncio.subprocess.Process
    log: Path
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    """Its last line."""


@dataclass(frozen=True)
class Progress:
    """How far all processes are together."""

    dispatched: int
    under_way: int
    outcomes: Counter[str]


class Crew:
    """An async context manager: leaving it ends every process."""

    def __init__(self, folder: Path, assignments: Sequence[Assignment], clock: Clock) -> None:
        self._folder = folder
        self._assignments = assignments
        self._clock = clock
        self._members: list[_Member] = []
        self._following: list[asyncio.Task[None]] = []
        self._prepared = asyncio.Semaphore(0)
        self._samples: list[Idleness] = []
        self._watching: asyncio.Task[None] | None = None
        self.begin = 0.0
        """When the first operation can be due, in seconds since the Unix epoch; 0 until then."""

    async def __aenter__(self) -> Self:
        for assignment in self._assignments:
            file = self._folder / f"assignment-{assignment.process}.json"
            assignment.write(file)
            log = self._folder / f"generator-{assignment.process}.log"
            with log.open("wb") as errors:
                process = await asyncio.create_subprocess_exec(
                    *_COMMAND, str(file),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                    limit=_LINE_BYTES_MAX,
                )  # fmt: skip
            member = _Member(assignment, process, log)
            self._members.append(member)
            self._following.append(asyncio.create_task(self._follow(member)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._watching:
            self._watching.cancel()
        _, late = await asyncio.wait(self._following, timeout=_LEAVE_SECONDS)
        for member in self._members:
            if member.process.returncode is None:
                with suppress(ProcessLookupError):
                    member.process.kill()
        if late:
            await asyncio.wait(late)
        for assignment in self._assignments:
            (self._folder / f"assignment-{assignment.process}.json").unlink(missing_ok=True)

    async def prepare(self) -> None:
        """Wait until every process is ready to send.

        Raises:
            LoadTestError: When one cannot.
        """
        for _ in self._members:
            await self._prepared.acquire()
        for member in self._members:
            if member.said.get("state") != "prepared":
                raise LoadTestError(f"generator process {member.assignment.process}: {self._reason(member)}")

    def start(self) -> float:
        """Give the word to begin; return when the first operation can be due."""
        self.begin = self._clock.now() + _LEAD_SECONDS
        for member in self._members:
            cast("asyncio.StreamWriter", member.process.stdin).write(f"{self.begin!r}\n".encode())
        self._watching = asyncio.create_task(watch_processors(self._clock, self._samples))
        return self.begin

    def stop(self) -> None:
        """Have no more sent; what is under way stays unknown."""
        for member in self._members:
            if member.process.stdin is not None:
                member.process.stdin.close()

    async def wait(self) -> None:
        """Wait until every process has sent its part and everything has ended."""
        await asyncio.gather(*self._following)

    def progress(self) -> Progress:
        """Return how far all processes are, half a second ago."""
        outcomes: Counter[str] = Counter()
        for member in self._members:
            outcomes.update(member.said.get("outcomes", {}))
        return Progress(self._sum("dispatched"), self._sum("under_way"), outcomes)

    def quality(self, steady_until: float | None = None) -> Quality:
        """Return how good the measurement was.

        Args:
            steady_until: Seconds from the run's begin at which the steady state ends, because a fault is injected.
                Default: the run's whole length.
        """
        seconds = self._assignments[0].seconds
        steady = (self.begin + warm_up_seconds(seconds), self.begin + (steady_until or seconds))
        schedule = Latencies()
        problems: list[str] = []
        for member in self._members:
            if text := member.said.get("schedule"):
                schedule.add(Latencies.decode(text))
            else:
                problems.append(f"process {member.assignment.process}: {self._reason(member)}")
            problems += member.said.get("problems", [])
        planned = sum(len(assignment.due) for assignment in self._assignments)
        ran = max(min(self._clock.now() - self.begin, seconds), 0.001)
        processors = sum(member.said.get("processor_seconds", 0.0) for member in self._members) / ran
        return quality_of(
            planned, self._sum("dispatched"), schedule, self._samples, steady, round(processors, 3), problems
        )

    @property
    def idleness(self) -> list[Idleness]:
        """The machine's idle processor time so far."""
        return list(self._samples)

    def _sum(self, key: str) -> int:
        return sum(member.said.get(key, 0) for member in self._members)

    async def _follow(self, member: _Member) -> None:
        """Take what a process says until it ends."""
        lines = cast("asyncio.StreamReader", member.process.stdout)
        is_waited_for = True
        async for line in lines:
            member.said = json.loads(line)
            if is_waited_for:
                is_waited_for = False
                self._prepared.release()
        await member.process.wait()
        if is_waited_for:
            self._prepared.release()

    def _reason(self, member: _Member) -> str:
        """Return why a process did not do its part, in one line."""
        if error := member.said.get("error"):
            return str(error)
        lines = member.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"ended with {member.process.returncode}: {lines[-1] if lines else 'it said nothing'}"
