"""The procedure of a move: what comes next (pure), and what of a lane is seen on a dev server."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import Client

from tests.worker.support import TEMPLATE, eventually
from worker.administration.lanes import LaneState, observe
from worker.administration.moves import StepState, lanes_of, other_lanes, steps
from worker.errors import UsageError
from worker.models.rollout import RolloutRequest, RolloutTarget
from worker.starting.window_schedule import MaintenanceWindow
from worker.starting.windows import create_window, delete_window, update_window
from worker.tenancy import Lane, Namespace, Strategy, Tenant, TenantsFile

DONE, NOW, LATER = StepState.DONE, StepState.NOW, StepState.LATER


def file(*tenants: Tenant) -> TenantsFile:
    return TenantsFile("production", (Namespace("production"),), tenants)


def states(tenant: Tenant, **changes: Any) -> dict[Lane, LaneState]:
    """Return lanes with nothing in them, but for the tenant's own workers and what the old lane has."""
    tenants = file(tenant)
    lane, old = tenants.lane_of(tenant), tenants.old_lane_of(tenant)
    empty = {
        other: LaneState(other.namespace, other.task_queue, 0, 0, 0, 0)
        for other in (lane, *other_lanes(tenants, tenant))
    }
    empty[lane] = replace(empty[lane], workers=2)
    return {**empty, **({old: replace(empty[old], **changes)} if old else {})}


TO_SHARED = Tenant("a", Strategy.SHARED_QUEUE, moving_from=Strategy.TASK_QUEUE)


@pytest.mark.parametrize(
    ("tenant", "to", "seen", "expected"),
    [
        (Tenant("a"), Strategy.SHARED_QUEUE, {}, [NOW, LATER, LATER, LATER]),
        (TO_SHARED, Strategy.SHARED_QUEUE, {"open_deployments": 1}, [DONE, DONE, NOW, LATER]),
        (TO_SHARED, Strategy.SHARED_QUEUE, {"windows": 1}, [DONE, DONE, NOW, LATER]),
        (TO_SHARED, Strategy.SHARED_QUEUE, {"backlog": 1, "workers": 1}, [DONE, DONE, NOW, LATER]),
        (TO_SHARED, Strategy.SHARED_QUEUE, {"backlog": 1}, [DONE, DONE, DONE, NOW]),
        (TO_SHARED, Strategy.SHARED_QUEUE, {}, [DONE, DONE, DONE, NOW]),
        (Tenant("a", Strategy.SHARED_QUEUE), Strategy.SHARED_QUEUE, {}, [DONE] * 4),
    ],
)
def test_steps(tenant: Tenant, to: Strategy, seen: dict[str, int], expected: list[StepState]) -> None:
    assert [step.state for step in steps(file(tenant), tenant, to, states(tenant, **seen))] == expected


def test_a_new_lane_without_workers_comes_first() -> None:
    seen = states(TO_SHARED)
    lane = file(TO_SHARED).lane_of(TO_SHARED)

    found = steps(
        file(TO_SHARED), TO_SHARED, TO_SHARED.strategy, {**seen, lane: replace(seen[lane], workers=0)}
    )

    assert [step.state for step in found] == [DONE, NOW, DONE, LATER]


def test_what_an_ended_move_has_left_behind_is_seen() -> None:
    tenant = Tenant("a", Strategy.SHARED_QUEUE)
    old = Lane("production", "tenant-a-deployments")
    seen = states(tenant)
    seen[old] = replace(seen[old], open_deployments=2)

    step = steps(file(tenant), tenant, Strategy.SHARED_QUEUE, seen)[2]

    assert (step.state, step.detail) == (
        NOW,
        (
            "put moving_from back, nobody serves it: tenant-a-deployments in production: "
            "2 open deployments, 0 tasks waiting, 0 maintenance windows"
        ),
    )


def test_one_move_at_a_time() -> None:
    with pytest.raises(UsageError) as caught:
        steps(file(TO_SHARED), TO_SHARED, Strategy.NAMESPACE, states(TO_SHARED))

    assert str(caught.value) == (
        "tenants.a: is moving from task-queue to shared-queue; finish that first: "
        "python -m worker.tenants move a --to shared-queue"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Strategy.TASK_QUEUE, Strategy.SHARED_QUEUE),
        (Strategy.SHARED_QUEUE, Strategy.DEDICATED_WORKERS),
    ],
)
async def test_a_window_holds_the_old_lane_until_it_starts_in_the_new(
    client: Client, old: Strategy, new: Strategy
) -> None:
    before = Tenant(f"w{secrets.token_hex(4)}", old)
    moving = replace(before, strategy=new, moving_from=old)
    tenants = file(moving)
    lane, left = lanes_of(tenants, moving)
    window = MaintenanceWindow("night", "Europe/Madrid", "01:30", 60)
    rollout = RolloutRequest(moving.name, "change-1", TEMPLATE, (RolloutTarget("r1", "madrid"),))
    await create_window(client, before, window, rollout)

    async def windows() -> list[int]:
        return [(await observe(client, moving, item)).windows for item in (lane, left)]

    async def is_seen() -> bool:
        return sum(await windows()) == 1

    await eventually(is_seen)
    assert await windows() == [0, 1]
    await update_window(client, moving, window, rollout)
    assert await windows() == [1, 0]
    await delete_window(client, moving, window.name)


@pytest.mark.parametrize(
    ("follows", "state"),
    [("worker-shared", NOW), ("worker-a", DONE), ("", DONE), ("workers-of-a-test", DONE)],
)
def test_where_only_the_workers_change_the_new_ones_must_get_the_work(follows: str, state: StepState) -> None:
    tenant = Tenant("a", Strategy.DEDICATED_WORKERS, moving_from=Strategy.TASK_QUEUE)
    seen = states(tenant)
    lane = file(tenant).lane_of(tenant)
    seen[lane] = replace(seen[lane], follows=follows)

    step = steps(file(tenant), tenant, Strategy.DEDICATED_WORKERS, seen)[1]

    assert step.state is state
    assert step.detail == "tenant-a-deployments in production: 2 workers" + (
        f", work goes to {follows}" if follows else ""
    )
