"""Kills: workers die by SIGKILL at ten points of one rollout, others take over.

PASS when the rollout ends, every router runs the new configuration or, where its checks fail on purpose, its
backup, the ledger shows each change made exactly once, and no history misfits its workflow. INVALID when a
point was not met. Needs no cluster: it brings a dev server along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from rich.console import Console
from rich.table import Table
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from worker.bench.gate import Trips
from worker.bench.kill_check import (
    ending_faults,
    ledger_faults,
    log_faults,
    replay_faults,
    rollout_histories,
)
from worker.bench.kill_crew import Crew
from worker.bench.kill_points import POINTS, ROUTERS_MIN, SOAK, Point, victims
from worker.client import connect
from worker.demo.embedded import Target, embedded
from worker.models.rollout import RolloutPhase, RolloutRequest, RolloutTarget
from worker.simulator.client import SimulatorClient
from worker.simulator.store import Fault, Outcome
from worker.starting.rollouts import RolloutHandle, start_rollout
from worker.starting.starter import result_of
from worker.tenancy import Namespace, Tenant, TenantsFile

NAMESPACE = "production"

_PARALLELISM = 10
_HEARTBEAT_SECONDS = 3.0
"""Less than the default 10, so that less time is spent waiting for dead workers."""
_SOAK_SECONDS = 2.0
"""Long enough to be seen by whoever looks every `_LOOK_SECONDS`."""
_LOOK_SECONDS = 0.05
_SECONDS_PER_ROUTER_MAX = 10.0
"""After which the rollout counts as stuck."""
_PHASE = SearchAttributeKey.for_keyword("Phase")


@dataclass(frozen=True)
class Result:
    """What came of it."""

    met: Mapping[str, float]
    """Each point that was met, and after how many seconds."""
    killed: int
    """Workers; in the soak, all that lived."""
    counts: Mapping[str, int]
    """Routers by ending."""
    duplicates: int
    """Steps that a router was told once more and rightly left alone."""
    runs: int
    """Of the rollout, which continues as new."""
    seconds: float
    """The whole rollout."""
    faults: tuple[str, ...]
    """What is not as it should be."""

    @property
    def verdict(self) -> str:
        """INVALID when a worker was not killed where it should have been, else FAIL for any fault, else PASS."""
        if set(self.met) != {SOAK, *(point.name for point in POINTS)}:
            return "INVALID"
        return "FAIL" if self.faults else "PASS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--routers", type=int, default=200, help="routers of the rollout (default: 200)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


async def run(options: argparse.Namespace) -> int:
    """Run it on a dev server; return 0 for PASS, 1 for FAIL, 2 for bad input, 3 for INVALID."""
    if options.routers < ROUTERS_MIN:
        sys.stderr.write(f"--routers: {options.routers} must be at least {ROUTERS_MIN}\n")
        return 2
    began = time.monotonic()

    def tell(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {line}\n")

    nobody = TenantsFile(NAMESPACE, (Namespace(NAMESPACE),), ())
    with TemporaryDirectory(prefix="routerfleet-kills-") as folder:
        async with embedded(nobody, None) as target:
            try:
                result = await kill_at_every_point(target, Path(folder), options.routers, tell)
            except TimeoutError:
                tell("FAIL: the rollout has not ended in time")
                return 1
    if options.json:
        values = {"verdict": result.verdict, "routers": options.routers, **asdict(result)}
        sys.stdout.write(f"{json.dumps(values)}\n")
    else:
        _display(result, options.routers)
    return {"PASS": 0, "FAIL": 1, "INVALID": 3}[result.verdict]


async def kill_at_every_point(
    target: Target, folder: Path, size: int, tell: Callable[[str], object]
) -> Result:
    """Roll out to so many routers, kill a worker at every point, and look at what came of it.

    Args:
        target: A server that has the namespace `NAMESPACE`, and a simulator.
        folder: For the workers' files and logs.
        size: Routers, at least `ROUTERS_MIN`.
        tell: Given the progress, one line at a time.

    Raises:
        TimeoutError: When the rollout does not end.
    """
    client = await connect(target.environment, namespace=NAMESPACE)
    fleet = _Fleet.of(size)
    tenants_file = folder / "tenants.json"
    tenants_file.write_text(TenantsFile(NAMESPACE, (Namespace(NAMESPACE),), (fleet.tenant,)).to_json())
    met: dict[str, float] = {}
    began = time.monotonic()

    def note(point: str) -> None:
        met[point] = round(time.monotonic() - began, 1)
        tell(f"killed: {point}")

    trips = Trips({router: point.trip for router, point in fleet.victims.items()})
    crew = Crew(target, folder, tenants_file, trips, lambda router: note(fleet.victims[router].name))
    async with aiohttp.ClientSession() as session, asyncio.timeout(60 + size * _SECONDS_PER_ROUTER_MAX):
        simulator = SimulatorClient(session, target.routers_url)
        await fleet.create(simulator)
        started = await start_rollout(client, fleet.tenant, fleet.request())
        tell(f"rollout of {size} routers started")
        async with crew:
            if await _is_soaking(started.handle):
                crew.kill_all()
                note(SOAK)
            report = await result_of(started.handle)
        tell(f"rollout {report.outcome} in {report.seconds:g} s; looking at ledger, histories and logs")
        entries = await simulator.ledger(f"deploy-{fleet.tenant.name}-")
        runs = await rollout_histories(client, started.handle.id, started.run_id)
        faults = (
            *ending_faults(fleet.routers, fleet.undone, report),
            *ledger_faults(fleet.routers, fleet.undone, entries),
            *await replay_faults(client, runs, fleet.tenant.name, fleet.routers),
            *(fault for log in crew.logs for fault in log_faults(log)),
        )
    duplicates = sum(entry.outcome is Outcome.DUPLICATE for entry in entries)
    return Result(met, crew.killed, report.counts, duplicates, len(runs), report.seconds, faults)


@dataclass(frozen=True)
class _Fleet:
    """The routers of the rollout."""

    tenant: Tenant
    routers: tuple[str, ...]
    victims: Mapping[str, Point]
    """Routers at which a worker dies."""

    @classmethod
    def of(cls, size: int) -> _Fleet:
        tenant = Tenant(f"kills{secrets.token_hex(4)}")
        routers = tuple(f"{tenant.name}-{number:04}" for number in range(size))
        return cls(tenant, routers, victims(routers))

    @property
    def undone(self) -> frozenset[str]:
        """Routers that fail their checks, and so must be rolled back."""
        return frozenset(router for router, point in self.victims.items() if point.is_undone)

    async def create(self, simulator: SimulatorClient) -> None:
        for router in self.routers:
            await simulator.put_router(router, self.tenant.name, running=("hostname old",))
        for router in self.undone:
            # However often the checks are repeated because a worker died under them.
            await simulator.set_fault(router, Fault.REFUSE_VERIFY, times=1000)

    def request(self) -> RolloutRequest:
        size = len(self.routers)
        return RolloutRequest(
            tenant=self.tenant.name,
            change_id="kills",
            template="hostname $name\n",
            targets=tuple(RolloutTarget(router, "lab", {"name": router}) for router in self.routers),
            batch_size=size // 2,
            parallelism=_PARALLELISM,
            error_budget=len(self.undone),
            soak_seconds=_SOAK_SECONDS,
            heartbeat_seconds=_HEARTBEAT_SECONDS,
            routers_per_run=size // 3,
        )


async def _is_soaking(handle: RolloutHandle) -> bool:
    """Wait for the soak after the canary; return False when the rollout ends without.

    The server is asked, so that no worker is needed for the answer.
    """
    while True:
        described = await handle.describe()
        if described.typed_search_attributes.get(_PHASE) == RolloutPhase.SOAKING.value:
            return True
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return False
        await asyncio.sleep(_LOOK_SECONDS)


def _display(result: Result, size: int) -> None:
    table = Table("point", "killed after s")
    for point in (SOAK, *(point.name for point in POINTS)):
        table.add_row(point, f"{result.met[point]:.1f}" if point in result.met else "not met")
    console = Console()
    console.print(table)
    counts = ", ".join(f"{count} {ending}" for ending, count in result.counts.items())
    console.print(
        f"{size} routers: {counts}; {result.killed} workers killed, {result.duplicates} steps repeated,"
        f" {result.runs} runs, {result.seconds:g} s"
    )
    for fault in result.faults:
        console.print(f"fault: {fault}", markup=False)
    console.print(result.verdict)
