"""Neighbour: one tenant floods; how much longer do the others' steps wait than in peace?

For each strategy, without and with the limits (rate and concurrency of each tenant, fairness keys), and each on
a server and workers of its own: first in peace; then one tenant asks for 20 times the base rate; then for as
many steps that take long, so that they hold slots. Judged is the others' 99th percentile from a step's
scheduling to its code running, all of them together, as a multiple of that in peace under the same settings.
INVALID when without the limits nobody is harmed (below 2 times), or the load was not as stated; PASS when with
the limits it is at most 1.2 times.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from worker.administration import queues
from worker.bench.support.open_loop import Sent, Stream, send
from worker.bench.support.stage import Stage, stage
from worker.bench.support.verdict import Verdict
from worker.client import in_namespace
from worker.errors import UsageError
from worker.tenancy import Namespace, Strategy, Tenant, TenantsFile

GOAL_RATIO = 1.2
HARM_RATIO = 2.0
BASE_RATE = 12
"""Steps per second of each quiet tenant. More, and the flood overruns the dev server on a machine of two cores
before any limit of a tenant can matter; much less, and nobody is harmed without limits."""
FLOOD_FACTOR = 20
SAMPLES_MIN = 1000
"""Per quiet tenant: ten of them lie above the 99th percentile."""

_QUIET = ("quieta", "quietb", "quietc")
_FLOODING = "flooding"
_NAMESPACE = "production"
_LONG_SECONDS = 5.0
_SECONDS, _WARM_UP_SECONDS = 84.0, 6.0
_QUICK_SECONDS, _QUICK_WARM_UP_SECONDS = 4.0, 2.0
_PATIENCE_SECONDS = 60.0
_RATE_FACTOR = 2
"""A tenant's rate limit, as a multiple of the base rate."""
_LAG_SECONDS_MAX = 0.1
"""The generator's own 99th percentile of being late; later than that the load was not as stated."""


@dataclass(frozen=True)
class Case:
    """What one measurement is of."""

    strategy: Strategy
    is_limited: bool
    load: str
    """`peace`, `flood`, or `long steps`."""


@dataclass(frozen=True)
class Result:
    """What one measurement came to."""

    case: Case
    samples: int
    """Of the quiet tenant that has fewest."""
    p50_ms: float
    p99_ms: float
    """Of all quiet tenants together. A step that had not even begun counts as having waited the whole patience."""
    lag_p99_ms: float
    """How late the generator sent what quiet tenants asked for."""
    refused: int
    """Bursts that the server turned away."""
    ratio: float = 1.0
    """Of the 99th percentile to that in peace."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's options."""
    parser.add_argument(
        "--strategy", choices=list(Strategy), action="append", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="seconds instead of a minute for each measurement: shows that it works, too little to judge by",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


async def run(options: argparse.Namespace) -> int:
    """Measure every case, report, and return the verdict's exit code.

    Raises:
        UsageError: When an option cannot be used.
        EmbeddedError: When a part does not start.
    """
    strategies = [Strategy(name) for name in options.strategy or Strategy]
    if len(set(strategies)) != len(strategies):
        raise UsageError("--strategy: each may be given once")
    console = Console(quiet=options.json)
    results: list[Result] = []
    for strategy in strategies:
        for is_limited in (False, True):
            of_one: list[Result] = []
            for load in ("peace", "flood", "long steps"):
                case = Case(strategy, is_limited, load)
                with console.status(f"{strategy}, {'with' if is_limited else 'without'} limits, {load} ..."):
                    of_one.append(await measure(case, is_quick=options.quick))
            results += _with_ratios(of_one)
    verdict, reasons = judge(results)
    if options.json:
        report = {
            "verdict": verdict,
            "reasons": reasons,
            "base_rate_per_second": BASE_RATE,
            "flood_factor": FLOOD_FACTOR,
            "results": [asdict(result) for result in results],
        }
        sys.stdout.write(json.dumps(report) + "\n")
    console.print(_table(results))
    for reason in reasons:
        console.print(f"{verdict}: {reason}", highlight=False, soft_wrap=True)
    return verdict.exit_code


def judge(results: Sequence[Result]) -> tuple[Verdict, list[str]]:
    """Return the verdict and what it rests on."""
    invalid = [reason for result in results if (reason := _problem(result))]
    few = [result for result in results if result.samples < SAMPLES_MIN]
    failed: list[str] = []
    kept: list[str] = []
    for strategy in dict.fromkeys(result.case.strategy for result in results):
        harm = _worst(results, strategy, is_limited=False)
        left = _worst(results, strategy, is_limited=True)
        figures = f"{strategy}: {harm:.1f} times as long without the limits, {left:.2f} times with them"
        if harm < HARM_RATIO:
            invalid.append(f"{figures}; without them at least {HARM_RATIO:g} were to be shown")
        elif left > GOAL_RATIO:
            failed.append(f"{figures}; goal {GOAL_RATIO:g}")
        else:
            kept.append(figures)
    if few:
        least = min(result.samples for result in few)
        return Verdict.INCONCLUSIVE, [
            f"{least} samples of a quiet tenant, {SAMPLES_MIN} are needed",
            *invalid,
            *failed,
            *kept,
        ]
    if invalid:
        return Verdict.INVALID, [*invalid, *failed, *kept]
    return (Verdict.FAIL, [*failed, *kept]) if failed else (Verdict.PASS, kept)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of them do not exceed; 0 without values."""
    ordered = sorted(values)
    # In integers: 0.99 * 1000 is a little above 990 in floating point.
    rank = -(-len(ordered) * round(share * 1000) // 1000)
    return ordered[max(rank, 1) - 1] if ordered else 0.0


def _problem(result: Result) -> str | None:
    """Return why the measurement was not good."""
    name = f"{result.case.strategy}, {result.case.load}, {'with' if result.case.is_limited else 'without'} limits"
    if result.lag_p99_ms > _LAG_SECONDS_MAX * 1000:
        return f"{name}: the load was sent {result.lag_p99_ms:.0f} ms late"
    # Without the limits a server that is overrun may turn calls away: that is harm, and no fault of the load.
    if result.refused and result.case.is_limited:
        return f"{name}: the server turned {result.refused} bursts away"
    return None


def _worst(results: Sequence[Result], strategy: Strategy, *, is_limited: bool) -> float:
    return max(
        result.ratio
        for result in results
        if (result.case.strategy, result.case.is_limited) == (strategy, is_limited)
    )


def _with_ratios(results: Sequence[Result]) -> list[Result]:
    """Return results of the same settings, the first in peace, each with its ratio to that."""
    peace = results[0].p99_ms
    return [replace(result, ratio=round(result.p99_ms / peace, 3)) for result in results]


def _tenants(case: Case) -> TenantsFile:
    concurrency, rate = (20, _RATE_FACTOR * BASE_RATE) if case.is_limited else (1000, None)
    tenants = tuple(
        Tenant(name, case.strategy, concurrency=concurrency, rate_per_second=rate)
        for name in (*_QUIET, _FLOODING)
    )
    return TenantsFile(_NAMESPACE, (Namespace(_NAMESPACE),), tenants)


async def measure(case: Case, *, is_quick: bool) -> Result:
    """Measure one case on a server and workers of its own; its ratio is not known yet."""
    file = _tenants(case)
    dynamic_config = {
        "matching.numTaskqueueReadPartitions": 1,
        "matching.numTaskqueueWritePartitions": 1,
        "matching.enableFairness": case.is_limited,
    }
    seconds, warm_up = (_QUICK_SECONDS, _QUICK_WARM_UP_SECONDS) if is_quick else (_SECONDS, _WARM_UP_SECONDS)
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(file, dynamic_config))
        await queues.reconcile_all(on.client, queues.desired(file))
        for pool in (pool for pool in file.pools() if file.lanes(pool)):
            module = "worker.bench.support.burst_worker"
            worker = await stack.enter_async_context(on.worker(pool, file, pool=pool, module=module))
            await worker.wait_until(worker.is_ready)
        sent = await send(_streams(case, file, on), warm_up, seconds, _PATIENCE_SECONDS)
    return _result(case, [sent[name] for name in _QUIET], sum(each.refused for each in sent.values()))


def _streams(case: Case, file: TenantsFile, on: Stage) -> list[Stream]:
    streams: list[Stream] = []
    for tenant in file.tenants:
        stream = Stream(in_namespace(on.client, file.namespace_of(tenant)), tenant, BASE_RATE)
        stream = replace(stream, has_priority=case.is_limited)
        if tenant.name != _FLOODING:
            streams.append(stream)
        elif case.load != "peace":
            hold_seconds = _LONG_SECONDS if case.load == "long steps" else stream.hold_seconds
            rate = BASE_RATE * FLOOD_FACTOR
            streams.append(
                replace(stream, steps_per_second=rate, hold_seconds=hold_seconds, is_measured=False)
            )
    return streams


def _result(case: Case, quiet: Sequence[Sent], refused: int) -> Result:
    waits = [
        wait for sent in quiet for wait in (*sent.waits_seconds, *[_PATIENCE_SECONDS] * sent.missing_steps)
    ]
    lags = [lag for sent in quiet for lag in sent.lags_seconds]
    return Result(
        case,
        samples=min(len(sent.waits_seconds) + sent.missing_steps for sent in quiet),
        p50_ms=round(percentile(waits, 0.5) * 1000, 1),
        p99_ms=round(percentile(waits, 0.99) * 1000, 1),
        lag_p99_ms=round(percentile(lags, 0.99) * 1000, 1),
        refused=refused,
    )


def _table(results: Sequence[Result]) -> Table:
    title = f"Wait for a step, {BASE_RATE} steps/s per quiet tenant, flood {FLOOD_FACTOR} times that"
    table = Table(title=title)
    for heading in ("strategy", "limits", "load", "samples", "p50 ms", "p99 ms", "times peace"):
        table.add_column(heading, justify="left" if heading in {"strategy", "limits", "load"} else "right")
    for result in results:
        table.add_row(
            result.case.strategy,
            "with" if result.case.is_limited else "without",
            result.case.load,
            str(result.samples),
            f"{result.p50_ms:.1f}",
            f"{result.p99_ms:.1f}",
            f"{result.ratio:.2f}",
        )
    return table
