"""One drill from its first look at the cluster to its verdict; everything it leaves is in one folder."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from load_tests.drills import results
from load_tests.drills.catalogue import ROOT
from load_tests.drills.drill import Drill
from load_tests.drills.fingerprint import stack_hash
from load_tests.drills.following import Follower
from load_tests.drills.gates import Course, decide, marks
from load_tests.drills.measures import Measures, Moments, by_tenant, measure
from load_tests.drills.outlook import NoOutlook, Outlook
from load_tests.drills.phases import READY_SECONDS, InvalidDrillError, Phase, Phases, Timeline, until_ready
from load_tests.drills.places import components_asked, hit_zones, resolve
from load_tests.drills.prediction import Comparison, Expected
from load_tests.drills.results import DrillResult, FaultReport
from load_tests.drills.site import Site
from load_tests.errors import LoadTestError
from load_tests.faults.fault import Fault
from load_tests.faults.guard import guarding
from load_tests.models import Operation
from load_tests.runs.execution import LoadRun, RunResult, commit
from load_tests.runs.judgement import Checked
from load_tests.runs.settings import RunSettings
from load_tests.stack import Target
from worker.bench.support.verdict import Verdict

PREDICTION_FILE = "prediction.json"
"""Written before the fault is injected, so that nobody has to believe that it was."""

_QUALITY = ("schedule_p99_seconds", "idle", "generator_processors")
_NOT_CHECKED = Checked(Verdict.INCONCLUSIVE, ("not checked",))


@dataclass(frozen=True)
class View:
    """What a display may look at while a drill is under way."""

    drill: Drill
    run: LoadRun
    timeline: Timeline
    follower: Follower


Showing = Callable[[View], AbstractAsyncContextManager[None]]
"""Shows a drill while the block runs."""


@asynccontextmanager
async def show_nothing(view: View):  # noqa: ANN201, ARG001 - an async iterator of None; a `Showing`
    """Show nothing."""
    yield


def settings_of(drill: Drill, stack: str) -> RunSettings:
    """Return the load run that a drill needs."""
    return RunSettings(
        scenario=drill.scenario,
        stack=stack,
        rate=drill.load.rate,
        seconds=drill.phases.total_seconds,
        shape=drill.load.shape,
        probe_rate=drill.load.probe_rate,
        result_seconds=drill.load.result_seconds,
        options=drill.load.options,
    )


@dataclass
class _Found:
    """What is known of a drill so far."""

    fault: FaultReport
    expected: Expected | None = None
    invalid: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    moments: Moments | None = None
    redundant_seconds: float | None = None


class Engine:
    """Runs drills on one stack, one at a time."""

    def __init__(
        self,
        target: Target,
        site: Site,
        outlook: Outlook | None = None,
        showing: Showing = show_nothing,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        """Say where.

        Args:
            target: What the load is aimed at.
            site: Where faults happen.
            outlook: Who predicts. Default: nobody.
            showing: Shows a drill while it is under way.
            ready_seconds: How long everything may take to be Ready, before a drill and after its fault.
        """
        self._target, self._site, self._showing = target, site, showing
        self._outlook = outlook or NoOutlook()
        self._ready_seconds = ready_seconds

    async def run(self, drill: Drill, folder: Path) -> DrillResult:
        """Run one drill and keep its result in the folder.

        A cancellation heals the fault and goes on up: such a drill has no result.

        Raises:
            LoadTestError: Faults are not allowed here. Whatever else goes wrong makes the drill INVALID.
        """
        await asyncio.to_thread(self._site.check_permission)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        found = _Found(FaultReport(drill.fault.name, drill.fault.parameters))
        try:
            return await self._drill(drill, folder, found)
        except LoadTestError as error:
            found.invalid.append(str(error))
            return await self._keep(drill, folder, found)

    async def _drill(self, drill: Drill, folder: Path, found: _Found) -> DrillResult:
        _, left = await until_ready(self._site, self._ready_seconds)
        if left:
            raise LoadTestError(f"not everything was Ready before the drill: {', '.join(left)}")
        name, parameters = drill.fault.name, await self._resolve(drill)
        found.fault = FaultReport(name, parameters, hit_zones(name, parameters))
        found.expected = await self._outlook.expected(name, parameters)
        _note(folder, found.expected)
        with guarding(folder) as journal:
            fault = self._site.make(name, journal, parameters)
            async with LoadRun(settings_of(drill, self._target.stack), self._target, folder) as run:
                done = await self._with_load(drill, run, fault, found, folder)
        return await self._conclude(drill, run, done, found, folder)

    async def _resolve(self, drill: Drill) -> dict[str, str]:
        parameters = drill.fault.parameters
        places = await asyncio.to_thread(self._site.places, components_asked(parameters))
        return resolve(parameters, places)

    async def _with_load(
        self, drill: Drill, run: LoadRun, fault: Fault, found: _Found, folder: Path
    ) -> RunResult:
        timeline, follower = Timeline(), Follower(folder)
        phases = Phases(drill, run, timeline, follower)
        async with self._showing(View(drill, run, timeline, follower)):
            try:
                await phases.pass_through(fault)
                await self._recover(run, timeline, found)
                found.moments = phases.moments()
            except InvalidDrillError as error:
                found.invalid.append(str(error))
                run.interrupt()
            except LoadTestError as error:
                found.invalid.append(f"the fault was not healed: {error}")
                run.interrupt()
            _describe(found, fault, timeline)
            timeline.phase = Phase.ENDING
            await run.wait()
            timeline.phase = Phase.CHECKING
            steady_until = timeline.injected - timeline.begin if timeline.injected else None
            return await run.conclude(steady_until)

    async def _recover(self, run: LoadRun, timeline: Timeline, found: _Found) -> None:
        """Wait for everything to be Ready and for the load to end, whichever is later."""
        async with AsyncExitStack() as stack:
            waiting = asyncio.create_task(until_ready(self._site, self._ready_seconds))
            stack.callback(waiting.cancel)
            await run.wait()
            found.redundant_seconds, left = await waiting
        if timeline.broken:
            found.broken.append(timeline.broken)
        if left:
            found.broken.append(
                f"not everything was Ready {self._ready_seconds:g} s after the heal: {', '.join(left)}"
            )

    async def _conclude(
        self, drill: Drill, run: LoadRun, done: RunResult, found: _Found, folder: Path
    ) -> DrillResult:
        operations = run.operations()
        measures, comparison = await self._measured(found, operations)
        violations = _violations(done.checker_report)
        count = sum(violations.values()) if violations else None
        # A run that was found invalid was ended early; what that did to its own figures says nothing more.
        complaints = [] if found.invalid else done.quality.complaints()
        marked = marks(measures, count, drill.gates, drill.goals) if measures else []
        return await self._keep(
            drill,
            folder,
            replace(found, invalid=[*found.invalid, *complaints]),
            run=run.name,
            began=done.summary.begin,
            checked=done.checked,
            measures=measures,
            marks=marked,
            comparison=comparison,
            violations=violations,
            quality={key: getattr(done.quality, key) for key in _QUALITY},
            tenants=by_tenant(operations, found.moments) if found.moments else {},
        )

    async def _keep(
        self,
        drill: Drill,
        folder: Path,
        found: _Found,
        *,
        run: str = "",
        began: float = 0.0,
        checked: Checked = _NOT_CHECKED,
        **known: Any,  # noqa: ANN401 - the fields of `DrillResult` that are known, as they are
    ) -> DrillResult:
        """Judge what is known of a drill, and keep it in its folder."""
        comparison = cast("Comparison | None", known.get("comparison"))
        judgement = decide(
            Course(found.invalid, found.broken, found.unknown),
            checked,
            known.get("measures"),
            known.get("marks", ()),
            comparison.complaints() if comparison else [],
        )
        result = DrillResult(
            drill=drill,
            stack=self._target.stack,
            commit=commit(),
            stack_hash=await asyncio.to_thread(stack_hash, ROOT, self._target.stack),
            run=run,
            began=began or time.time(),
            judgement=judgement,
            fault=found.fault,
            moments=found.moments,
            redundant_seconds=found.redundant_seconds,
            **known,
        )
        results.write(folder, result)
        return result

    async def _measured(
        self, found: _Found, operations: Sequence[Operation]
    ) -> tuple[Measures | None, Comparison | None]:
        moments = found.moments
        if moments is None:
            return None, None
        hit = set(found.fault.hit_zones)
        measures = measure(operations, moments, hit)
        alone = [operation for operation in operations if operation.zone not in hit]
        share: float | None = None
        try:
            share = await self._outlook.observed_share(alone, moments.injected, moments.healed)
        except LoadTestError as error:
            found.unknown.append(str(error))
        if found.expected is not None and share is None:
            found.unknown.append("which share of the shards was out could not be told")
        return measures, Comparison(found.expected, share, measures.outage_seconds)


def _describe(found: _Found, fault: Fault, timeline: Timeline) -> None:
    effect, before = timeline.effect, found.fault
    if effect is not None:
        found.fault = FaultReport(
            before.name, before.parameters, before.hit_zones, fault.describe(), effect.proof, effect.could_not
        )


def _note(folder: Path, expected: Expected | None) -> None:
    values = None if expected is None else asdict(expected)
    (folder / PREDICTION_FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _violations(report: Mapping[str, object]) -> dict[str, int]:
    """Return by invariant how many violations the checker found; empty where it did not look."""
    rows = cast("Sequence[Mapping[str, Any]]", report.get("invariants", ()))
    return {str(row["invariant"]): int(row["violated"]) for row in rows}
