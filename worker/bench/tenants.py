"""Tenants: one worker process serves very many tenants' queues, and each gets one deployment done.

Three ways, each on a dev server of its own: a queue per tenant as `python -m worker` serves them; a queue per
tenant with the SDK's and the server's own settings, which is what one writes first and which fails somewhere
between 300 and 1000 queues; one queue for all tenants with Temporal's fairness keys.
PASS when the first and the third deploy everything and the first stays within the goal for memory per queue.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import aiohttp
from rich.console import Console
from rich.table import Table
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from worker.bench.support.naive_worker import READY
from worker.bench.support.stage import ReadyPart, Stage, rss_mb, stage
from worker.bench.support.verdict import Verdict
from worker.demo.embedded import EmbeddedError
from worker.errors import UsageError
from worker.models.deployment import DeploymentRequest
from worker.simulator.client import SimulatorClient
from worker.starting.starter import result_of, start_deployment
from worker.tenancy import Namespace, Strategy, Tenant, TenantsFile

GOAL_MB_PER_QUEUE = 0.5
_QUEUES_JUDGED_MIN = 300
"""Fewer do not tell what one costs: a process grows by some 20 MB whatever it serves."""
_NAMESPACE = "production"
_OPEN_MAX = 100
"""Deployments under way at a time."""
_QUIET_SECONDS = 30.0
"""No deployment has ended for so long: nothing more will."""
_ONE_PARTITION = {"matching.numTaskqueueReadPartitions": 1, "matching.numTaskqueueWritePartitions": 1}
"""As the infrastructure configures it (`infra.rendering.dynamic_config`)."""
_POLLS_PER_QUEUE = 4


@dataclass(frozen=True)
class Way:
    """One way to serve many tenants."""

    name: str
    strategy: Strategy
    dynamic_config: Mapping[str, object]
    module: str = "worker"


@dataclass(frozen=True)
class Result:
    """What one way came to."""

    way: str
    queues: int
    deployments: int
    """Asked for: one per tenant."""
    deployed: int = 0
    ready_seconds: float | None = None
    """From the start of the process until it polled every queue; None: it never did."""
    deployed_seconds: float | None = None
    """From the first deployment's start to the last one's end; None: not all ended well."""
    worker_mb: float = 0
    """Of the worker process at its largest."""
    server_mb: float = 0
    mb_per_queue_ready: float = 0
    """The worker process's memory above that of one without queues, before the first deployment."""
    mb_per_queue: float = 0
    """The same at its largest, with what each queue's first deployment leaves behind: mostly its metrics."""
    problem: str = ""
    """Why not all were deployed: the log line of the worker that came most often."""

    @property
    def is_complete(self) -> bool:
        """Whether every deployment ended well."""
        return self.deployed == self.deployments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark's options."""
    parser.add_argument("--queues", type=int, default=1000, help="tenants; default: 1000")
    parser.add_argument(
        "--timeout-seconds", type=float, default=600, help="per way, for all deployments; default: 600"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


async def run(options: argparse.Namespace) -> int:
    """Measure every way, report, and return the verdict's exit code.

    Raises:
        UsageError: When an option cannot be used.
        EmbeddedError: When a part does not start.
    """
    if options.queues < 1:
        raise UsageError(f"--queues: {options.queues} must be at least 1")
    console = Console(quiet=options.json)
    results: list[Result] = []
    for way in ways(options.queues):
        with console.status(f"{way.name}: {options.queues} tenants ..."):
            results.append(await measure(way, options.queues, options.timeout_seconds))
    verdict, reason = judge(results)
    if options.json:
        report = {"verdict": verdict, "reason": reason, "results": [asdict(result) for result in results]}
        sys.stdout.write(json.dumps(report) + "\n")
    console.print(_table(results))
    for result in results:
        if result.problem:
            console.print(f"{result.way}: {result.problem}", highlight=False, soft_wrap=True)
    console.print(f"{verdict}: {reason}")
    return verdict.exit_code


def judge(results: Sequence[Result]) -> tuple[Verdict, str]:
    """Return the verdict and its reason, from the results in the order of the ways."""
    derived, naive, shared = results
    for result in (derived, shared):
        if not result.is_complete:
            return Verdict.FAIL, f"{result.way}: {result.deployed} of {result.deployments} deployed"
    figure = f"{derived.mb_per_queue:.2f} MB per queue, goal {GOAL_MB_PER_QUEUE:g}"
    if derived.queues < _QUEUES_JUDGED_MIN:
        return (
            Verdict.INCONCLUSIVE,
            f"all deployed; memory per queue is judged from {_QUEUES_JUDGED_MIN} queues",
        )
    if derived.mb_per_queue > GOAL_MB_PER_QUEUE:
        return Verdict.FAIL, figure
    ending = "deploys all too" if naive.is_complete else f"deploys {naive.deployed} of {naive.deployments}"
    return Verdict.PASS, f"{figure}; {naive.way}: {ending}"


def ways(queues: int) -> tuple[Way, ...]:
    """Return the ways that are compared: ours, the naive one, and the shared queue."""
    polls = {"frontend.namespaceCount": max(1200, queues * _POLLS_PER_QUEUE)}
    return (
        Way("own queues, derived limits", Strategy.TASK_QUEUE, {**_ONE_PARTITION, **polls}),
        Way(
            "own queues, stock settings",
            Strategy.TASK_QUEUE,
            {},
            module="worker.bench.support.naive_worker",
        ),
        Way(
            "one queue, fairness keys",
            Strategy.SHARED_QUEUE,
            {**_ONE_PARTITION, "matching.enableFairness": True},
        ),
    )


async def measure(way: Way, queues: int, timeout_seconds: float) -> Result:
    """Serve so many tenants in one way and deploy once for each."""
    tenants = tuple(Tenant(f"t{number:04d}", way.strategy) for number in range(queues))
    file = TenantsFile(_NAMESPACE, (Namespace(_NAMESPACE),), tenants)
    async with stage(file, way.dynamic_config) as on:
        idle_mb = await _idle_mb(on, file)
        result = Result(way.name, len(file.lanes("shared")), len(tenants))
        began = time.monotonic()
        async with on.worker("worker", file, module=way.module) as worker:
            try:
                await worker.wait_until(lambda: _is_ready(worker))
                result = replace(result, ready_seconds=round(time.monotonic() - began, 1))
            except EmbeddedError as error:
                return replace(result, problem=f"{error}")
            ready_mb = rss_mb(worker.process.pid)
            began = time.monotonic()
            deployed = await _deploy_all(on, tenants, timeout_seconds)
            seconds = round(time.monotonic() - began, 1)
            worker_mb = max(ready_mb, rss_mb(worker.process.pid))
            result = replace(
                result,
                deployed=deployed,
                deployed_seconds=seconds if deployed == len(tenants) else None,
                worker_mb=round(worker_mb, 1),
                server_mb=round(rss_mb(on.server.process.pid), 1),
                mb_per_queue_ready=round((ready_mb - idle_mb) / result.queues, 3),
                mb_per_queue=round((worker_mb - idle_mb) / result.queues, 3),
            )
            return result if result.is_complete else replace(result, problem=_complaint(worker))


async def _idle_mb(on: Stage, file: TenantsFile) -> float:
    """Return the memory of a worker process without a queue."""
    async with on.worker("idle", replace(file, tenants=())) as worker:
        await worker.wait_until(worker.is_ready)
        return rss_mb(worker.process.pid)


async def _is_ready(worker: ReadyPart) -> bool:
    return await worker.is_ready() or READY in worker.log.read_text(encoding="utf-8", errors="replace")


async def _deploy_all(on: Stage, tenants: Sequence[Tenant], timeout_seconds: float) -> int:
    """Start one deployment per tenant and return how many ended well, in time or until none ends any more."""
    turns = asyncio.Semaphore(_OPEN_MAX)
    ended: list[bool] = []

    async def deploy(routers: SimulatorClient, tenant: Tenant) -> None:
        router = f"r-{tenant.name}"
        request = DeploymentRequest(tenant.name, router, "madrid", "bench", "hostname $name\n", {"name": "a"})
        async with turns:
            await routers.put_router(router, tenant.name)
            started = await start_deployment(on.client, tenant, request)
            try:
                await result_of(started.handle)
                ended.append(True)
            except WorkflowFailureError:
                ended.append(False)

    async with aiohttp.ClientSession() as session:
        routers = SimulatorClient(session, on.routers_url)
        tasks = [asyncio.create_task(deploy(routers, tenant)) for tenant in tenants]
        await _until_quiet(tasks, ended, timeout_seconds)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        # A server that turns calls away is one of the outcomes that are measured.
        if isinstance(outcome, Exception) and not isinstance(outcome, RPCError):
            raise outcome
    return sum(ended)


async def _until_quiet(tasks: list[asyncio.Task[None]], ended: list[bool], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    before, pending = -1, set(tasks)
    while pending and time.monotonic() < deadline and len(ended) != before:
        before = len(ended)
        left = min(_QUIET_SECONDS, deadline - time.monotonic())
        _, pending = await asyncio.wait(pending, timeout=max(left, 0))


def _complaint(worker: ReadyPart) -> str:
    """Return the worker's most frequent complaint, and how often it came."""
    counts: dict[str, int] = {}
    for line in worker.log.read_text(encoding="utf-8", errors="replace").splitlines():
        for known in ("concurrent poller limit exceeded", "deadlock", "timed out", "ResourceExhausted"):
            if known in line:
                counts[known] = counts.get(known, 0) + 1
    if not counts:
        return "the worker's log does not say"
    most = max(counts, key=lambda known: counts[known])
    return f"{most} ({counts[most]} lines)"


def _table(results: Sequence[Result]) -> Table:
    table = Table(title="One worker process, one deployment per tenant")
    headings = (
        "way",
        "queues",
        "deployed",
        "ready s",
        "deployed s",
        "worker MB",
        "server MB",
        "MB per queue",
    )
    for heading in (*headings, "problem"):
        table.add_column(heading, justify="left" if heading in {"way", "problem"} else "right")
    for result in results:
        table.add_row(
            result.way,
            str(result.queues),
            f"{result.deployed} of {result.deployments}",
            _shown(result.ready_seconds),
            _shown(result.deployed_seconds),
            _shown(result.worker_mb),
            _shown(result.server_mb),
            *(
                f"{value:.2f}" if result.queues > 1 else "-"
                for value in (result.mb_per_queue_ready, result.mb_per_queue)
            ),
        )
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
