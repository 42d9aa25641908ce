"""Limits of queues: what is planned (pure), and what a dev server then has and does."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from worker.administration.namespaces import reconcile
from worker.administration.queues import Action, Limits, desired, observe, plan, reconcile_all
from worker.administration.reconciliation import Drift
from worker.tenancy import Lane, Namespace, Strategy, Tenant, TenantsFile

OWN = Lane("production", "tenant-chogar-deployments")
SHARED = Lane("production", "shared-deployments")


def file(*tenants: Tenant, name: str = "production") -> TenantsFile:
    return TenantsFile(name, (Namespace(name),), tenants)


def test_desired_limits_of_every_lane() -> None:
    tenants = file(
        Tenant("chogar", rate_per_second=10),
        Tenant("amovil", Strategy.NAMESPACE),
        Tenant("afijo", Strategy.DEDICATED_WORKERS, moving_from=Strategy.TASK_QUEUE, rate_per_second=0.1),
        Tenant("piloto", Strategy.SHARED_QUEUE, weight=2, rate_per_second=8),
        Tenant("prueba", moving_from=Strategy.SHARED_QUEUE, weight=3),
    )

    assert desired(tenants) == {
        OWN: Limits(10),
        Lane("tenant-amovil", "tenant-amovil-deployments"): Limits(),
        # As the server keeps it, in single precision.
        Lane("production", "tenant-afijo-deployments"): Limits(0.10000000149011612),
        Lane("production", "tenant-prueba-deployments"): Limits(),
        SHARED: Limits(None, 4, {"piloto": 2, "prueba": 3}),
    }


@pytest.mark.parametrize(
    ("lane", "wanted", "observed", "drift"),
    [
        (OWN, Limits(10), Limits(10), []),
        (OWN, Limits(10), Limits(), [(Action.SET_RATE, "steps per second unlimited, should be 10")]),
        (OWN, Limits(), Limits(2.5), [(Action.SET_RATE, "steps per second 2.5, should be unlimited")]),
        (
            SHARED,
            Limits(None, 4, {"a": 2, "b": 3}),
            Limits(1, 5, {"b": 2, "c": 7}),
            [
                (Action.SET_RATE, "steps per second 1, should be unlimited"),
                (Action.SET_FAIRNESS_RATE, "steps per second and weight 5, should be 4"),
                (Action.SET_WEIGHTS, "weight of a 1, should be 2, b 2, should be 3, c 7, should be 1"),
            ],
        ),
        (
            SHARED,
            Limits(weights={f"t{number}": 2 for number in range(9)}),
            Limits(),
            [
                (
                    Action.SET_WEIGHTS,
                    "weight of t0 1, should be 2, t1 1, should be 2, t2 1, should be 2 and 6 more",
                )
            ],
        ),
    ],
)
def test_plan(lane: Lane, wanted: Limits, observed: Limits, drift: list[tuple[Action, str]]) -> None:
    assert plan(lane, wanted, observed) == tuple(
        Drift(lane.namespace, action, detail, lane.task_queue) for action, detail in drift
    )


@pytest.fixture
async def namespace(client: Client) -> str:
    """A shared namespace of the test's own, so that its shared queue is too."""
    name = f"queues-{secrets.token_hex(3)}"
    await reconcile(client, Namespace(name))
    return name


async def test_limits_are_set_changed_and_lifted_by_two_at_once(client: Client, namespace: str) -> None:
    own = Tenant("own", rate_per_second=0.3)
    few = Tenant("few", Strategy.SHARED_QUEUE, weight=0.5, rate_per_second=5)
    many = Tenant("many", Strategy.SHARED_QUEUE, rate_per_second=10)

    async def apply(*tenants: Tenant) -> list[str]:
        limits = desired(file(*tenants, name=namespace))
        done = await asyncio.gather(*(reconcile_all(client, limits) for _ in range(2)))
        assert {lane: await observe(client, lane) for lane in limits} == limits
        return sorted({drift.action for drifts in done for drift in drifts})

    assert await apply(own, few, many) == ["set-fairness-rate", "set-rate", "set-weights"]
    assert await apply(own, few, many) == []
    assert await apply(own, replace(few, weight=4, rate_per_second=40), many) == ["set-weights"]
    plain = [replace(tenant, weight=1, rate_per_second=None) for tenant in (own, few, many)]
    assert await apply(*plain) == ["set-fairness-rate", "set-rate", "set-weights"]


@pytest.fixture
def lane() -> Lane:
    """A queue of the test's own."""
    return Lane("production", f"limited-{secrets.token_hex(3)}")


async def test_the_most_weights_are_replaced_by_as_many_others(client: Client, lane: Lane) -> None:
    for letter in "ab":
        wanted = Limits(weights={f"{letter}{number}": 2 for number in range(1000)})
        await reconcile_all(client, {lane: wanted})
        assert await observe(client, lane) == wanted


async def test_a_namespace_that_is_not_there_has_no_limits(client: Client) -> None:
    assert await observe(client, Lane("nowhere", "q")) == Limits()


@activity.defn(name="step")
async def step() -> float:
    return time.monotonic()


@workflow.defn(name="Steps")
class Steps:
    """Has some steps handed out at once and returns when each ran."""

    @workflow.run
    async def run(self, count: int) -> list[float]:
        timeout = timedelta(seconds=30)
        steps = [workflow.execute_activity(step, schedule_to_close_timeout=timeout) for _ in range(count)]
        return sorted(await asyncio.gather(*steps))


@asynccontextmanager
async def served(client: Client, lane: Lane) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=lane.task_queue,
        workflows=[Steps],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
        # Else a worker runs its own steps without asking the queue, and its limit, for them.
        disable_eager_activity_execution=True,
    ):
        yield


async def spread_seconds(client: Client, lane: Lane, tenant: str, weight: float = 1) -> float:
    """Return the seconds from the first to the last of a tenant's 24 steps."""
    times = await client.execute_workflow(
        Steps.run,
        24,
        id=f"deploy-{tenant}-{secrets.token_hex(4)}",
        task_queue=lane.task_queue,
        priority=Priority(fairness_key=tenant, fairness_weight=weight),
    )
    return times[-1] - times[0]


LEAST_SECONDS = 1.2
"""For 24 steps at 10 per second: the first ten may go at once, of the rest the last is that much later; less
what the rounding of four partitions, with a quarter of the rate each, makes of it."""


async def test_a_rate_holds_for_the_queue_of_one_tenant(client: Client, lane: Lane) -> None:
    await reconcile_all(client, {lane: Limits(10)})

    async with served(client, lane):
        assert await spread_seconds(client, lane, "own") > LEAST_SECONDS


async def test_a_rate_holds_for_each_tenant_of_a_shared_queue_by_weight(client: Client, lane: Lane) -> None:
    await reconcile_all(client, {lane: Limits(None, 10, {"fast": 100})})

    async with served(client, lane):
        slow, fast = await asyncio.gather(
            spread_seconds(client, lane, "slow"),
            # The override counts, not what the deployment was started with.
            spread_seconds(client, lane, "fast", weight=1),
        )

    assert slow > LEAST_SECONDS
    assert fast < slow / 2
