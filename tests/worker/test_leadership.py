"""Two pools and one queue, both versioned, on real worker processes: whose work it is, and that none is left lying."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion

from tests.worker.support import BEFORE, TEMPLATE, WorkerProcess, eventually
from worker.administration.namespaces import reconcile
from worker.administration.reports import Report
from worker.client import in_namespace
from worker.models.deployment import ApprovalPolicy, Decision, DeploymentRequest, Phase
from worker.serving import leadership, pool_versions
from worker.serving.leadership import Leadership, followed, relieved_pools
from worker.serving.versioning import current_build, promote, unset
from worker.simulator.client import SimulatorClient
from worker.starting.starter import Started, result_of, start_deployment
from worker.tenancy import Namespace, Strategy, Tenant, TenantsFile, worker_deployment
from worker.tenants import apply, check
from worker.workflows.router_deployment import RouterDeployment

DEDICATED, TASK_QUEUE = Strategy.DEDICATED_WORKERS, Strategy.TASK_QUEUE
OWN, SHARED = "worker-x", "worker-shared"
X = Tenant("x", DEDICATED)
Y = Tenant("y")


def file(*tenants: Tenant, release: str = "a", namespace: str = "production") -> TenantsFile:
    return TenantsFile(namespace, (Namespace(namespace),), tenants, release)


@pytest.mark.parametrize(
    ("tenant", "shared", "own", "relieved"),
    [
        (X, ["tenant-y-deployments"], ["tenant-x-deployments"], []),
        (
            replace(X, moving_from=TASK_QUEUE),
            ["tenant-y-deployments"],
            ["tenant-x-deployments"],
            [],
        ),
        (
            Tenant("x", moving_from=DEDICATED),
            ["tenant-x-deployments", "tenant-y-deployments"],
            [],
            [("production", "x")],
        ),
        # What is left for another lane stays with whom it had, to its end.
        (
            Tenant("x", Strategy.SHARED_QUEUE, moving_from=DEDICATED),
            ["shared-deployments", "tenant-y-deployments"],
            ["tenant-x-deployments"],
            [],
        ),
    ],
)
def test_who_leads(
    tenant: Tenant, shared: list[str], own: list[str], relieved: list[tuple[str, str]]
) -> None:
    tenants = file(tenant, Y)

    assert [lane.task_queue for lane in tenants.lanes_led_by("shared")] == shared
    assert [lane.task_queue for lane in tenants.lanes_led_by("x")] == own
    assert relieved_pools(tenants) == relieved


def test_pools_that_may_be_current() -> None:
    assert pool_versions.pools_with_versions(file(X, Y)) == {"shared", "x"}
    assert pool_versions.pools_with_versions(file(X, Y, release="")) == set()


def test_plan_names_what_is_unset() -> None:
    assert pool_versions.plan("production", {}) == ()
    (drift,) = pool_versions.plan("production", {"worker-z": "b", "worker-x": "a"})
    assert (drift.namespace, drift.action, drift.detail) == (
        "production",
        "unset-versions",
        "current, but of a pool that is gone or not versioned any more: worker-x a, worker-z b",
    )


@dataclass
class Fleet:
    """Two tenants in a namespace of the test's own, whose pools are processes."""

    client: Client
    routers: SimulatorClient
    path: Path
    tenants: TenantsFile
    launch: Callable[[str], WorkerProcess]
    session: aiohttp.ClientSession
    started: list[Started] = field(default_factory=list[Started])

    async def roll_out(self, tenant: Tenant) -> None:
        """Do what `pulumi up` does: reconcile, then let the workers have the file."""
        self.tenants = replace(self.tenants, tenants=(tenant, Y))
        assert await apply(self.client, self.tenants, Report(is_json=True)) == 0
        self.path.write_text(self.tenants.to_json())

    async def pool(self, name: str) -> WorkerProcess:
        worker = self.launch(name)
        await worker.ready(self.session)
        return worker

    async def follows(self, name: str) -> None:
        """Wait until the tenant's lane follows a worker deployment."""
        lane = self.tenants.lane_of(self.tenants.tenant("x"))

        async def does() -> bool:
            return await followed(self.client, lane) == name

        await eventually(does)

    async def start(self, *, is_held: bool = False) -> Started:
        router = f"r-{secrets.token_hex(4)}"
        await self.routers.put_router(router, "x", running=BEFORE)
        approval = ApprovalPolicy() if is_held else None
        request = DeploymentRequest("x", router, "madrid", "c1", TEMPLATE, {"name": "new"}, approval=approval)
        started = await start_deployment(self.client, self.tenants.tenant("x"), request)
        self.started.append(started)
        if is_held:

            async def waits() -> bool:
                return (
                    await started.handle.query(RouterDeployment.progress)
                ).phase is Phase.AWAITING_APPROVAL

            await eventually(waits)
        return started

    async def approve(self, started: Started) -> list[str]:
        await started.handle.execute_update(RouterDeployment.decide, Decision("ana", is_approved=True))
        return await self.workers_of(started)

    async def workers_of(self, started: Started) -> list[str]:
        """Wait for the end; return which worker deployments did its workflow tasks, in order."""
        assert (await result_of(started.handle)).phase is Phase.DEPLOYED
        history = await self.client.get_workflow_handle(started.handle.id).fetch_history()
        done = [event.workflow_task_completed_event_attributes for event in history.events]
        names = [task.deployment_version.deployment_name for task in done]
        return list(dict.fromkeys(name for name in names if name))

    async def applied(self) -> list[list[str]]:
        """Return what each deployment did to its router, as the ledger says."""
        entries = [await self.routers.ledger(f"{one.handle.id}/{one.run_id}/") for one in self.started]
        return [[entry.kind.value for entry in found] for found in entries]


@pytest.fixture
async def fleet(
    client: Client,
    routers: SimulatorClient,
    routers_url: str,
    session: aiohttp.ClientSession,
    tmp_path: Path,
    start_worker: Callable[..., WorkerProcess],
) -> Fleet:
    def launch(pool: str) -> WorkerProcess:
        return start_worker(
            routers_url,
            ROUTERFLEET_POOL=pool,
            ROUTERFLEET_DEPLOYMENT_NAME=worker_deployment(pool),
            ROUTERFLEET_BUILD_ID="a",
        )

    namespace = f"pools-{secrets.token_hex(4)}"
    tenants = file(X, Y, namespace=namespace)
    here = in_namespace(client, namespace)
    return Fleet(here, routers, tmp_path / "tenants.json", tenants, launch, session)


async def test_a_tenant_gives_up_its_own_workers(fleet: Fleet) -> None:
    await fleet.roll_out(X)
    _, own = await asyncio.gather(fleet.pool("shared"), fleet.pool("x"))
    await fleet.follows(OWN)
    crossing, staying = await fleet.start(is_held=True), await fleet.start(is_held=True)
    assert await fleet.workers_of(await fleet.start()) == [OWN]

    await fleet.roll_out(Tenant("x", moving_from=DEDICATED))
    await fleet.follows(SHARED)
    assert await fleet.workers_of(await fleet.start()) == [SHARED]
    assert await fleet.approve(crossing) == [OWN, SHARED]

    await fleet.roll_out(Tenant("x"))
    own.process.terminate()
    assert await own.exit_code() == 0
    assert await fleet.workers_of(await fleet.start()) == [SHARED]
    assert await fleet.approve(staying) == [OWN, SHARED]
    assert await fleet.applied() == [["apply", "confirm"]] * 5


async def test_a_tenant_gets_its_own_workers(fleet: Fleet) -> None:
    await fleet.roll_out(Tenant("x"))
    await fleet.pool("shared")
    await fleet.follows(SHARED)
    crossing, staying = await fleet.start(is_held=True), await fleet.start(is_held=True)

    moving = Tenant("x", DEDICATED, moving_from=TASK_QUEUE)
    await fleet.roll_out(moving)
    await fleet.pool("x")
    await fleet.follows(OWN)
    assert await fleet.workers_of(await fleet.start()) == [OWN]
    assert await fleet.approve(crossing) == [SHARED, OWN]

    await fleet.roll_out(X)
    # As a release does, or the way back to one: the shared pool becomes current anew, and once polled this queue.
    version = WorkerDeploymentVersion(SHARED, "a")
    await unset(fleet.client, fleet.client.namespace, SHARED)
    assert await promote(fleet.client, [fleet.client.namespace], version)
    await fleet.follows(SHARED)
    await Leadership(fleet.client, "x", WorkerDeploymentVersion(OWN, "a")).look(fleet.tenants)
    await fleet.follows(OWN)
    assert await fleet.workers_of(await fleet.start()) == [OWN]
    assert await fleet.approve(staying) == [SHARED, OWN]
    assert await fleet.applied() == [["apply", "confirm"]] * 4


async def test_what_a_pool_leaves_behind_is_seen_and_unset(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    await fleet.roll_out(X)
    shared, own = await asyncio.gather(fleet.pool("shared"), fleet.pool("x"))
    await fleet.follows(OWN)
    # Gone at once, without the move's steps in between.
    fleet.path.write_text(replace(fleet.tenants, tenants=(Tenant("x"), Y)).to_json())
    own.process.kill()
    waiting = await fleet.start()

    gone = replace(fleet.tenants, tenants=(Tenant("x"), Y))
    line = (
        f"{gone.shared_namespace}: unset-versions: current, but of a pool that is gone or not versioned "
        "any more: worker-x a"
    )
    assert await check(fleet.client, gone, Report()) == 3
    assert line in capsys.readouterr().out.splitlines()
    assert [await apply(fleet.client, gone, Report()) for _ in range(2)] == [0, 0]
    assert capsys.readouterr().out.splitlines().count(line) == 1
    assert await fleet.workers_of(waiting) == [SHARED]

    # Without a release nobody is current: workers without a version get the work.
    shared.process.kill()
    assert await apply(fleet.client, replace(gone, release=""), Report()) == 0
    assert await current_build(fleet.client, gone.shared_namespace, SHARED) == ""


async def test_what_was_unset_stays_so_until_the_file_changes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "_LOOK_SECONDS", 0)
    await reconcile(fleet.client, fleet.tenants.namespaces[0], timedelta(seconds=30))
    fleet.path.write_text(replace(fleet.tenants, release="other").to_json())
    await fleet.pool("x")
    late = Leadership(fleet.client, "x", WorkerDeploymentVersion(OWN, "a"))

    async def build_after(tenants: TenantsFile) -> str:
        await late.look(tenants)
        return await current_build(fleet.client, tenants.shared_namespace, OWN)

    assert await build_after(replace(fleet.tenants, release="other")) == ""
    assert await build_after(fleet.tenants) == "a"
    await unset(fleet.client, fleet.tenants.shared_namespace, OWN)
    assert await build_after(fleet.tenants) == ""
    assert await build_after(replace(fleet.tenants, tenants=(X,))) == "a"
