"""The run itself: plan, generator, checker, verdict, and everything kept in one folder."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from load_tests import records
from load_tests.checker import Sampler
from load_tests.clients import Clients
from load_tests.clock import Clock
from load_tests.generator.assignment import Assignment, split
from load_tests.generator.crew import Crew, Progress
from load_tests.generator.processor import Idleness
from load_tests.generator.self_check import Quality
from load_tests.models import Operation
from load_tests.runs.checking import check_run, follow_starts
from load_tests.runs.judgement import Checked, Judgement, judge
from load_tests.runs.settings import RunSettings, plan_of
from load_tests.runs.summary import Summary, summarise
from load_tests.stack import Target
from worker.bench.support.verdict import Verdict
from worker.client import in_namespace


@dataclass(frozen=True)
class RunResult:
    """What a run came to."""

    name: str
    settings: RunSettings
    summary: Summary
    quality: Quality
    checked: Checked
    checker_report: dict[str, object]
    judgement: Judgement
    is_interrupted: bool
    idle: tuple[tuple[float, float], ...]
    """Seconds from the begin, and the share of idle processor time in the second before."""

    def to_json(self) -> dict[str, Any]:
        """Return what `run.json` holds."""
        return {
            "name": self.name,
            "began": datetime.fromtimestamp(self.summary.begin, UTC).isoformat(timespec="milliseconds"),
            "commit": commit(),
            "verdict": self.judgement.verdict.value,
            "reasons": list(self.judgement.reasons),
            "is_interrupted": self.is_interrupted,
            "settings": asdict(self.settings),
            "quality": {**asdict(self.quality), "complaints": self.quality.complaints()},
            "summary": self.summary.to_json(),
            "checker": self.checker_report,
            "idle": [list(sample) for sample in self.idle],
        }


class LoadRun:
    """One run, step by step, so that a drill can do something in between: an async context manager.

    Entering prepares; `start` begins; `wait` returns when all is sent and has ended; `conclude` has it checked and
    judged. Leaving ends whatever still runs.
    """

    def __init__(self, settings: RunSettings, target: Target, folder: Path) -> None:
        self.settings, self.target, self.folder = settings, target, folder
        self.name = secrets.token_hex(3)
        self.clock = Clock.read()
        self.due = plan_of(settings, target)
        self.is_interrupted = False
        self._crew = Crew(folder, self._assignments(), self.clock)
        self._sampler: Sampler | None = None
        self._stack = AsyncExitStack()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._crew)
            await self._crew.prepare()
            clients = await Clients.connect(self.target)
            by_namespace = {name: in_namespace(clients.user, name) for name in self.target.namespaces}
            self._sampler = await stack.enter_async_context(Sampler(by_namespace))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following:
            self._following.cancel()
        await self._stack.aclose()

    def start(self) -> float:
        """Begin; return when the first operation can be due, in seconds since the Unix epoch."""
        if self._sampler is not None:
            self._following = asyncio.create_task(follow_starts(self.folder, self._sampler))
        return self._crew.start()

    async def wait(self) -> None:
        """Wait until everything is sent and has ended, or was interrupted."""
        await self._crew.wait()

    def interrupt(self) -> None:
        """Send no more, and end with what there is."""
        self.is_interrupted = True
        self._crew.stop()

    def progress(self) -> Progress:
        """Return how far the run is."""
        return self._crew.progress()

    @property
    def idleness(self) -> list[Idleness]:
        """The machine's idle processor time so far."""
        return self._crew.idleness

    def operations(self) -> list[Operation]:
        """Return what was recorded so far, by number."""
        return records.read_all(self.folder)

    async def conclude(self, steady_until: float | None = None) -> RunResult:
        """Have the run checked and judged, and keep it all in its folder.

        Args:
            steady_until: Seconds from the begin at which the steady state ended, because a fault was injected.
        """
        operations = self.operations()
        records.write_all(self.folder, operations)
        checked, report = Checked(Verdict.INCONCLUSIVE, ("not checked",)), dict[str, object]()
        if not self.is_interrupted:
            samples = self._sampler.samples if self._sampler else ()
            # Where the teams connect: a zone's load balancer may have another address since a fault.
            reachable = replace(self.target, zone_addresses={})
            checked, report = await check_run(reachable, operations, samples)
        summary = summarise(operations, self._crew.begin, self.settings.seconds)
        quality = self._crew.quality(steady_until)
        result = RunResult(
            name=self.name,
            settings=self.settings,
            summary=summary,
            quality=quality,
            checked=checked,
            checker_report=report,
            judgement=judge(summary, quality, checked, is_interrupted=self.is_interrupted),
            is_interrupted=self.is_interrupted,
            idle=tuple(
                (round(sample.at - self._crew.begin, 1), round(sample.share, 3))
                for sample in self._crew.idleness
            ),
        )
        text = json.dumps(result.to_json(), indent=1)
        (self.folder / "run.json").write_text(text + "\n", encoding="utf-8")
        return result

    def _assignments(self) -> list[Assignment]:
        settings = self.settings
        return [
            Assignment(
                target=self.target,
                run=self.name,
                scenario=settings.scenario,
                options=settings.numbers,
                seed=settings.seed,
                seconds=settings.seconds,
                result_seconds=settings.result_seconds,
                process=process,
                processes=settings.processes,
                cap=settings.cap,
                epoch=self.clock.epoch,
                due=due,
            )
            for process, due in enumerate(split(self.due, settings.processes))
        ]


def commit() -> str:
    """Return the commit of the checkout; empty outside one."""
    command = ("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
