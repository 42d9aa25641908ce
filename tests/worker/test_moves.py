"""Tenants move between strategies while their deployments run, on real worker processes: nothing is lost."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import Client

from tests.worker.support import BEFORE, TEMPLATE, WorkerProcess, eventually
from worker.administration.lanes import observe
from worker.administration.moves import TenantMovingError, check_may_start
from worker.administration.reports import Report
from worker.client import in_namespace
from worker.models.deployment import ApprovalPolicy, Decision, DeploymentRequest, Phase
from worker.simulator.client import SimulatorClient
from worker.starting.starter import Started, result_of, start_deployment
from worker.tenancy import Namespace, Strategy, Tenant, TenantsFile
from worker.tenants import apply, drain, move
from worker.workflows.router_deployment import RouterDeployment

JSON = Report(is_json=True)

RUN = secrets.token_hex(3)
MOVES = {
    f"a{RUN}": (Strategy.TASK_QUEUE, Strategy.DEDICATED_WORKERS),
    f"b{RUN}": (Strategy.TASK_QUEUE, Strategy.SHARED_QUEUE),
    f"c{RUN}": (Strategy.SHARED_QUEUE, Strategy.NAMESPACE),
    f"d{RUN}": (Strategy.NAMESPACE, Strategy.TASK_QUEUE),
}
DEDICATED = f"a{RUN}"
BEFORE_MOVE = tuple(Tenant(name, old) for name, (old, _) in MOVES.items())
MOVING = tuple(Tenant(name, new, moving_from=old) for name, (old, new) in MOVES.items())
AFTER_MOVE = tuple(Tenant(name, new) for name, (_, new) in MOVES.items())


@dataclass
class Fleet:
    """Tenants on their way, with the file that the workers follow."""

    client: Client
    routers: SimulatorClient
    path: Path
    tenants: TenantsFile
    started: list[Started] = field(default_factory=list[Started])

    async def roll_out(self, tenants: tuple[Tenant, ...]) -> None:
        """Do what `pulumi up` does: reconcile, let the workers have the file, and wait until they follow it."""
        self.tenants = replace(self.tenants, tenants=tenants)
        assert await apply(self.client, self.tenants, JSON) == 0
        self.path.write_text(self.tenants.to_json())
        await eventually(self._is_served)

    async def _is_served(self) -> bool:
        lanes = [(tenant, self.tenants.lane_of(tenant)) for tenant in self.tenants.tenants]
        return all([(await observe(self.client, tenant, lane)).workers for tenant, lane in lanes])

    async def start(self, tenant: Tenant, router: str, *, is_held: bool = False) -> Started:
        """Start a deployment as the command line does; one that is held waits for an approval."""
        await check_may_start(self.client, self.tenants, tenant, f"{tenant.name}-{router}")
        request = DeploymentRequest(
            tenant.name,
            f"{tenant.name}-{router}",
            "madrid",
            "change-1",
            TEMPLATE,
            {"name": "new"},
            approval=ApprovalPolicy() if is_held else None,
        )
        client = in_namespace(self.client, self.tenants.namespace_of(tenant))
        started = await start_deployment(client, tenant, request)
        if started.is_new:
            self.started.append(started)
        return started

    async def hold(self, tenant: Tenant, router: str) -> Started:
        """Start a deployment and wait until it waits for its approval."""
        started = await self.start(tenant, router, is_held=True)

        async def waits() -> bool:
            return (await started.handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL

        await eventually(waits)
        return started

    async def deploy(self, tenants: tuple[Tenant, ...], router: str) -> None:
        """Deploy to a router of each tenant, and see all end well."""
        started = await asyncio.gather(*(self.start(tenant, router) for tenant in tenants))
        results = await asyncio.gather(*(result_of(item.handle) for item in started))
        assert [result.phase for result in results] == [Phase.DEPLOYED] * len(tenants)

    async def applied(self) -> dict[str, list[str]]:
        """Return what each deployment did to its router, as the ledger says."""
        kinds: dict[str, list[str]] = {}
        for started in self.started:
            prefix = f"{started.handle.id}/{started.run_id}/"
            kinds[started.handle.id] = [entry.kind.value for entry in await self.routers.ledger(prefix)]
        return kinds


@pytest.fixture
def tenants() -> TenantsFile:
    return TenantsFile("production", (Namespace("production"),), BEFORE_MOVE)


@pytest.fixture
async def fleet(
    client: Client,
    routers: SimulatorClient,
    routers_url: str,
    session: aiohttp.ClientSession,
    tenants: TenantsFile,
    tmp_path: Path,
    start_worker: Callable[..., WorkerProcess],
) -> Fleet:
    """Two worker processes, the shared pool's and the one of the tenant that will have its own."""
    for name in MOVES:
        for router in ("held", "old", "new", "last"):
            await routers.put_router(f"{name}-{router}", name, running=BEFORE)
    assert await apply(client, tenants, JSON) == 0
    workers = [start_worker(routers_url), start_worker(routers_url, ROUTERFLEET_POOL=DEDICATED)]
    await asyncio.gather(*(worker.ready(session) for worker in workers))
    return Fleet(client, routers, tmp_path / "tenants.json", tenants)


async def moved(fleet: Fleet, code: int, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return each tenant's state of the procedure."""
    found: list[list[str]] = []
    for name, (_, new) in MOVES.items():
        assert await move(fleet.client, fleet.tenants, name, new, JSON) == code
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        found.append([step["state"] for step in report["steps"]])
    return found


async def test_moves_lose_nothing(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    held = [await fleet.hold(tenant, "held") for tenant in BEFORE_MOVE]
    await fleet.deploy(BEFORE_MOVE, "old")
    assert await moved(fleet, 3, capsys) == [["now", "later", "later", "later"]] * 4

    # While they move, both lanes are served. One deployment per router holds, within a namespace because the
    # open one is joined, between two because nothing new is started.
    await fleet.roll_out(MOVING)
    within, between = MOVING[:2], MOVING[2:]
    assert [(await fleet.start(tenant, "held")).is_new for tenant in within] == [False, False]
    for tenant in between:
        with pytest.raises(TenantMovingError, match=rf"^TenantMoving: tenant {tenant.name} moves from"):
            await fleet.start(tenant, "new")
    await fleet.deploy(within, "new")
    # Whoever has other workers, and the same queue, has nothing to wait for.
    assert (
        await moved(fleet, 3, capsys)
        == [["done", "done", "done", "now"]] + [["done", "done", "now", "later"]] * 3
    )

    waiting = [drain(fleet.client, fleet.tenants, tenant.name, JSON, 30) for tenant in MOVING]
    drained = asyncio.gather(*waiting)
    for started in held:
        await started.handle.execute_update(RouterDeployment.decide, Decision("ana", is_approved=True))
    results = await asyncio.gather(*(result_of(started.handle) for started in held))
    assert [result.phase for result in results] == [Phase.DEPLOYED] * 4
    assert await drained == [0] * 4
    await fleet.deploy(between, "new")

    await fleet.roll_out(AFTER_MOVE)
    await fleet.deploy(AFTER_MOVE, "last")
    assert await moved(fleet, 0, capsys) == [["done"] * 4] * 4
    assert len(fleet.started) == 16
    assert [*(await fleet.applied()).values()] == [["apply", "confirm"]] * 16
