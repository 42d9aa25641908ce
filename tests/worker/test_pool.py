"""What a lane may use, and that one tenant's steps cannot take what is another's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from tests.worker.support import Bench, MeddledDriver
from worker.activities.router_activities import RouterActivities
from worker.models.deployment import Phase
from worker.routers.driver import RouterState
from worker.routers.drivers import SIMULATED, Drivers
from worker.routers.inventory import RouterRecord
from worker.serving.limits import Limits, limits_of
from worker.serving.pool import WorkerPool
from worker.serving.runner import WorkflowThreads
from worker.serving.slots import TenantSlots
from worker.simulator.client import SimulatorClient
from worker.starting.starter import result_of
from worker.tenancy import Lane, Namespace, Strategy, Tenant, TenantsFile


def test_limits_follow_from_the_number_of_lanes() -> None:
    one = Lane("production", "tenant-chogar-deployments", (Tenant("chogar", concurrency=7),))
    shared = Lane("production", "shared-deployments", (Tenant("amovil"), Tenant("afijo")))

    assert limits_of(one, 1) == Limits(2, 1, 20, 7, 100)
    assert limits_of(one, 100).cached_workflows == 20
    assert limits_of(one, 1000) == Limits(2, 1, 20, 7, 5)
    assert limits_of(shared, 1000) == Limits(4, 4, 100, 1000, 1000)


def test_slots_are_refused_beyond_the_tenant_s_own_and_given_back() -> None:
    slots = TenantSlots()
    slots.set_tenants([Tenant("chogar", concurrency=2), Tenant("afijo", concurrency=1)])

    with slots.hold("chogar"), slots.hold("chogar"), slots.hold("afijo"):
        with pytest.raises(ApplicationError) as caught, slots.hold("chogar"):
            pytest.fail("a third step was let in")
        assert slots.running("chogar") == 2

    assert (caught.value.type, caught.value.non_retryable, caught.value.category) == (
        "TenantBusy",
        True,
        ApplicationErrorCategory.BENIGN,
    )
    assert slots.running("chogar") == 0
    with slots.hold("gone"):
        assert slots.running("gone") == 1


def test_workflow_tasks_wait_outside_when_too_many_do_but_not_for_ever() -> None:
    threads = WorkflowThreads(threads=1, waiting_max=1)
    go_on = threading.Event()
    first, second = threads.submit(go_on.wait), threads.submit(int)
    threading.Timer(0.3, go_on.set).start()
    began = time.monotonic()

    assert threads.submit(int).result() == 0
    assert 0.25 < time.monotonic() - began < 0.9
    assert (first.result(), second.result()) == (True, 0)

    # All hang: the next one is let in all the same, so that the event loop can find the hanging ones out.
    go_on.clear()
    hanging = [threads.submit(go_on.wait), threads.submit(go_on.wait)]
    began = time.monotonic()
    last = threads.submit(int)
    assert 0.9 < time.monotonic() - began < 1.9
    go_on.set()
    assert [future.result() for future in (*hanging, last)] == [True, True, 0]
    threads.shutdown()


class CountingDriver(MeddledDriver):
    """Notes how many steps of each tenant read their routers at the same time."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        super().__init__(session, base_url)
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def read(self, router: RouterRecord) -> RouterState:
        self.now[router.tenant] += 1
        self.most[router.tenant] = max(self.most[router.tenant], self.now[router.tenant])
        try:
            await asyncio.sleep(0.2)
            return await super().read(router)
        finally:
            self.now[router.tenant] -= 1


@pytest.fixture
def driver(session: aiohttp.ClientSession, routers_url: str) -> CountingDriver:
    return CountingDriver(session, routers_url)


@pytest.fixture
async def pool(client: Client, driver: CountingDriver) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(client, RouterActivities(Drivers({SIMULATED: driver})), timedelta(seconds=5))
    yield pool
    await pool.drain()


async def test_tenants_of_the_shared_queue_have_slots_of_their_own(
    client: Client, routers: SimulatorClient, driver: CountingDriver, pool: WorkerPool, tenant: Tenant
) -> None:
    flooding = Tenant(tenant.name, Strategy.SHARED_QUEUE, concurrency=1)
    other = Tenant(f"{tenant.name}b", Strategy.SHARED_QUEUE)
    tenants = TenantsFile("production", (Namespace("production"),), (flooding, other))
    await pool.serve(tenants.lanes("shared"))

    benches = [Bench(client, routers, each, driver) for each in (flooding, other)]
    started = [await bench.start(await bench.router()) for bench in benches for _ in range(3)]
    results = [await result_of(one.handle) for one in started]

    assert [result.phase for result in results] == [Phase.DEPLOYED] * 6
    assert driver.most[flooding.name] == 1
    assert driver.most[other.name] > 1


async def test_a_changed_concurrency_is_taken_up_while_serving(
    client: Client, routers: SimulatorClient, driver: CountingDriver, pool: WorkerPool, tenant: Tenant
) -> None:
    bench = Bench(client, routers, tenant, driver)

    async def deploy(concurrency: int) -> int:
        lane = Lane(client.namespace, tenant.task_queue, (Tenant(tenant.name, concurrency=concurrency),))
        await pool.serve((lane,))
        driver.most.clear()
        started = [await bench.start(await bench.router()) for _ in range(3)]
        assert [(await result_of(one.handle)).phase for one in started] == [Phase.DEPLOYED] * 3
        return driver.most[tenant.name]

    assert await deploy(1) == 1
    assert await deploy(3) > 1
    assert await deploy(1) == 1
