"""The p99 that an open and a closed loop report for the same standstill of the same server.

The closed loop is written for this comparison, as most load generators are: some users, each of whom waits for
the answer before it asks again, with latencies from when each call was made. While the server stands still it
asks nothing, so the standstill is a handful of slow calls among thousands; whoever came meanwhile is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from rich.console import Console
from rich.table import Table

from load_tests.arrivals import Constant
from load_tests.errors import LoadTestError
from load_tests.generator.dispatch import Dispatcher
from load_tests.histograms import Latencies
from load_tests.models import OperationKind, Outcome
from load_tests.records import read
from load_tests.runs.alone import disturbance, session_alone
from load_tests.scenarios.session import Due, Session
from load_tests.stack import DEV, Target, aimed_at
from load_tests.workload.quick import Quick, QuickInput
from worker.bench.support.verdict import Verdict

_USERS = 4
"""Of the closed loop: at answers within 0.2 s enough for 20 calls per second."""


@dataclass(frozen=True)
class LoopFigures:
    """What one generator reports."""

    loop: str
    operations: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class _Starts:
    """Starts of workflows that nobody runs: only the acknowledgement counts here."""

    name: ClassVar[str] = "starts"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {}

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:  # noqa: ARG002 - it has none
        self._session = session

    async def prepare(self, due: Sequence[Due]) -> None:
        """Nothing is needed."""

    async def perform(self, due: Due) -> None:
        """Start one, timed from when it was due."""
        await start_one(self._session, "open", due.tenant, due.number, due)

    async def finish(self) -> None:
        """Nothing is left."""


async def start_one(
    session: Session, loop: str, tenant: str, number: int, due: Due | None = None
) -> str | None:
    """Start one workflow; return its run id once acknowledged."""
    workflow_id = session.workflow_id(tenant, loop, number)
    return await session.start(Quick.__name__, tenant, workflow_id, QuickInput(str(number)), due=due)


async def closed_loop(session: Session, rate: float, seconds: float) -> tuple[Latencies, int]:
    """Send as a closed loop does; return latencies from each call, and how many calls failed."""
    found, failed, numbers = Latencies(), 0, iter(range(1, sys.maxsize))
    tenant = session.target.tenants.tenants[0].name
    pause = _USERS / rate

    async def user() -> None:
        nonlocal failed
        while (called := session.clock.now()) < session.begin + seconds:
            run_id = await start_one(session, "closed", tenant, next(numbers))
            now = session.clock.now()
            found.record(now - called)
            failed += run_id is None
            await asyncio.sleep(max(0.0, pause - (now - called)))

    await asyncio.gather(*(user() for _ in range(_USERS)))
    return found, failed


async def stall(process: int, after_seconds: float, seconds: float) -> None:
    """Have a process stand still for a while; it goes on whatever happens here."""
    await asyncio.sleep(after_seconds)
    os.kill(process, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(process, signal.SIGCONT)


async def compare_loops(
    rate: float, seconds: float, stall_seconds: float, console: Console, *, is_json: bool
) -> int:
    """Run both loops side by side over one standstill and tell what each reports; return the exit code.

    PASS says that the open loop saw the standstill at its p99; INCONCLUSIVE that it is too short for that;
    INVALID that the machine was busy with something else, whose standstills are in the figures as well.
    """
    if not 0 < stall_seconds < seconds:
        raise LoadTestError(
            f"--stall: {stall_seconds:g} must be above 0 and below --seconds, which is {seconds:g}"
        )
    console.print(
        f"Both loops at {rate:g} per second for {seconds:g} s, standstill of {stall_seconds:g} s ..."
    )
    async with aimed_at(DEV, has_workload=False) as target:
        problem = await disturbance()
        figures = await _measure(target, rate, seconds, stall_seconds)
    is_seen = figures[0].p99_ms >= stall_seconds * 1000 / 2
    verdict = Verdict.PASS if is_seen else Verdict.INCONCLUSIVE
    if problem:
        console.print(problem)
        verdict = Verdict.INVALID
    _tell(figures, verdict, is_json=is_json)
    return verdict.exit_code


async def _measure(
    target: Target, rate: float, seconds: float, stall_seconds: float
) -> tuple[LoopFigures, LoopFigures]:
    if target.server_process is None:
        raise LoadTestError(
            "the server is not on this machine, so it cannot be made to stand still from here"
        )
    tenant = target.tenants.tenants[0].name
    offsets = Constant().offsets(rate, seconds, random.Random(1))  # noqa: S311 - repeatable
    due = [Due(number, offset, tenant) for number, offset in enumerate(offsets, start=1)]
    async with (
        session_alone(target, "open", seconds) as (opened, folder),
        session_alone(target, "closed", seconds) as (closed, _),
    ):
        dispatcher = Dispatcher(opened, _Starts(opened, {}), len(due))
        standing = asyncio.create_task(
            stall(target.server_process, (seconds - stall_seconds) / 2, stall_seconds)
        )
        closing = asyncio.create_task(closed_loop(closed, rate, seconds))
        await dispatcher.send(due)
        await dispatcher.wait()
        reported, failed = await closing
        await standing
        operations = read(folder / "operations.jsonl").values()
    latencies = Latencies(item.latency_seconds or 0.0 for item in operations if item.outcome is Outcome.OK)
    lost = sum(item.outcome is not Outcome.OK for item in operations)
    return _figures("open", latencies, lost), _figures("closed", reported, failed)


def _figures(loop: str, latencies: Latencies, failed: int) -> LoopFigures:
    p50, p99, most = (
        round((value or 0.0) * 1000, 1)
        for value in (latencies.percentile(50), latencies.percentile(99), latencies.most)
    )
    return LoopFigures(loop, len(latencies), failed, p50, p99, most)


def _tell(figures: Sequence[LoopFigures], verdict: Verdict, *, is_json: bool) -> None:
    if is_json:
        sys.stdout.write(
            json.dumps({"verdict": verdict.value, "loops": [asdict(item) for item in figures]}) + "\n"
        )
        return
    table = Table(
        "loop", "operations", "failed", "p50, ms", "p99, ms", "max, ms", title="the same standstill"
    )
    for item in figures:
        table.add_row(item.loop, *(f"{value:g}" for value in list(asdict(item).values())[1:]))
    console = Console()
    console.print(table)
    opened, closed = figures
    console.print(
        f"{verdict}: p99 {opened.p99_ms:g} ms by the open loop, {closed.p99_ms:g} ms by the closed one"
    )
