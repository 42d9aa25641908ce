"""How much one generator process can send while it keeps its schedule, and how exactly it does at half of that.

Measured against the cheapest real call of Temporal's dev server (`GetSystemInfo`), through the same dispatcher,
client and records as a run. Generator and server share this machine, so it is the ceiling on this machine.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from rich.console import Console
from rich.table import Table
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest

from load_tests.arrivals import Constant
from load_tests.clients import Patience
from load_tests.generator.dispatch import Dispatcher, tune_garbage_collection
from load_tests.generator.self_check import RATE_ERROR_MAX, SCHEDULE_ERROR_SECONDS_MAX
from load_tests.models import OperationKind, Outcome
from load_tests.runs.alone import disturbance, session_alone
from load_tests.scenarios.session import Due, Session
from load_tests.stack import DEV, Target, aimed_at
from worker.bench.support.verdict import Verdict

_FIRST_RATE = 100.0
_RATE_MAX = 20_000.0
_CAP = 5000


@dataclass(frozen=True)
class Step:
    """What one process did at one rate."""

    rate: float
    """Operations per second that were due."""
    sent_per_second: float
    schedule_p99_ms: float
    acknowledged: int
    of: int

    @property
    def is_kept(self) -> bool:
        """Whether the schedule was kept, as a run has to keep it."""
        is_exact = self.schedule_p99_ms <= SCHEDULE_ERROR_SECONDS_MAX * 1000
        return is_exact and abs(self.sent_per_second - self.rate) <= RATE_ERROR_MAX * self.rate


class _CheapCall:
    """The cheapest call as a scenario."""

    name: ClassVar[str] = "cheap-call"
    kind: ClassVar[OperationKind] = OperationKind.QUERY
    defaults: ClassVar[Mapping[str, float]] = {}

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:  # noqa: ARG002 - it has none
        self._session = session

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Ask the server what it is."""
        client = self._session.client(due.tenant)

        async def send(patience: Patience) -> str:
            answer = await client.workflow_service.get_system_info(
                GetSystemInfoRequest(), retry=patience.is_repeating, timeout=patience.call_timeout
            )
            return answer.server_version

        await self._session.attempt(
            OperationKind.QUERY, due.tenant, "system-info", str(due.number), send, due=due
        )

    async def finish(self) -> None:
        """Nothing is left."""


async def measure_ceiling(seconds: float, console: Console, *, is_json: bool) -> int:
    """Double the rate until the schedule is not kept, search between, and measure at half; return the exit code.

    Args:
        seconds: Of each step.
        console: Where progress is shown.
        is_json: Whether one JSON object is printed instead of a table.
    """
    steps: list[Step] = []
    async with aimed_at(DEV, has_workload=False) as target:
        problem = await disturbance()
        await _step(target, _FIRST_RATE, 1.0)  # the first calls of a connection are slow

        async def try_rate(rate: float) -> bool:
            steps.append(await _step(target, rate, seconds))
            console.print(f"{rate:g} per second: {steps[-1].schedule_p99_ms:.1f} ms late (p99)")
            return steps[-1].is_kept

        kept, lost = 0.0, _FIRST_RATE
        while lost < _RATE_MAX and await try_rate(lost):
            kept, lost = lost, lost * 2
        for _ in range(2 if kept else 0):
            middle = (kept + lost) / 2
            kept, lost = (middle, lost) if await try_rate(middle) else (kept, middle)
        half = await _step(target, max(kept, _FIRST_RATE) / 2, seconds)
    verdict = Verdict.PASS if kept and half.is_kept else Verdict.FAIL
    if problem:
        console.print(problem)
        verdict = Verdict.INVALID
    _tell(steps, kept, half, verdict, is_json=is_json)
    return verdict.exit_code


async def _step(target: Target, rate: float, seconds: float) -> Step:
    tenants = [tenant.name for tenant in target.tenants.tenants]
    offsets = Constant().offsets(rate, seconds, random.Random(1))  # noqa: S311 - repeatable
    due = [
        Due(number, offset, tenants[number % len(tenants)]) for number, offset in enumerate(offsets, start=1)
    ]
    async with session_alone(target, f"ceiling{rate:.0f}", seconds) as (session, _):
        dispatcher = Dispatcher(session, _CheapCall(session, {}), _CAP)
        tune_garbage_collection()
        await dispatcher.send(due)
        lasted = session.clock.now() - session.begin
        await dispatcher.wait()
        outcomes = session.counts.by_outcome
        acknowledged = sum(count for (_, outcome), count in outcomes.items() if outcome is Outcome.OK)
        p99 = session.counts.schedule_errors.percentile(99) or 0.0
    return Step(
        rate, len(due) / max(lasted, seconds - 1 / rate), round(p99 * 1000, 3), acknowledged, len(due)
    )


def _tell(steps: Sequence[Step], ceiling: float, half: Step, verdict: Verdict, *, is_json: bool) -> None:
    if is_json:
        values = {
            "verdict": verdict.value,
            "ceiling_per_second": ceiling,
            "half": asdict(half),
            "steps": [asdict(step) for step in steps],
        }
        sys.stdout.write(json.dumps(values) + "\n")
        return
    table = Table(
        "due per second", "sent per second", "late (p99), ms", "acknowledged", title="one generator process"
    )
    for step in (*steps, half):
        table.add_row(
            f"{step.rate:g}",
            f"{step.sent_per_second:.0f}",
            f"{step.schedule_p99_ms:.2f}",
            f"{step.acknowledged} of {step.of}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"{verdict}: {ceiling:g} per second with the schedule kept; at half of it {half.schedule_p99_ms:.2f} ms late (p99)"
    )
