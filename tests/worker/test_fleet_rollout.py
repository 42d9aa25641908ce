"""The rollout on a dev server: order, limits, orders from outside, and every way it ends."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, CancelledError

from tests.worker.rollouts import HELD, child, fleet, let_go, request, start, until
from tests.worker.support import AFTER, BEFORE, Bench, eventually, failure
from worker.errors import UsageError
from worker.models.deployment import ApprovalPolicy
from worker.models.rollout import (
    REQUEST_BYTES_MAX,
    AbortOrder,
    Carried,
    Ending,
    Order,
    ParallelismOrder,
    RolloutPhase,
    RolloutReport,
    RolloutTarget,
    RouterFailure,
)
from worker.simulator.store import Fault
from worker.starting.rollouts import open_rollout, start_rollout
from worker.starting.starter import result_of
from worker.tenancy import Tenant, Urgency
from worker.workflows.fleet_rollout import FleetRollout


async def applied(bench: Bench) -> list[str]:
    """Return the routers on which a change was made, as often as one was."""
    entries = await bench.routers.ledger(f"deploy-{bench.tenant.name}-")
    return sorted(e.router for e in entries if e.kind.value == "apply" and e.outcome.value == "applied")


def endings(routers: list[str], *expected: Ending) -> dict[str, Ending]:
    return dict(zip(routers, expected, strict=True))


async def test_rollout_reaches_every_router_once_and_reports(bench: Bench) -> None:
    routers = await fleet(bench, 5)
    handle = await start(bench, routers, batch_size=3, parallelism=2, soak_seconds=0.1)

    report = await result_of(handle)

    assert replace(report, seconds=0) == RolloutReport(
        tenant=bench.tenant.name,
        change_id="change-1",
        outcome=RolloutPhase.COMPLETED,
        counts={"deployed": 5},
        endings=dict.fromkeys(routers, Ending.DEPLOYED),
        failures=(),
        seconds=0,
    )
    assert 0.2 <= report.seconds < 60
    assert await applied(bench) == sorted(routers)
    assert [await bench.running(router) for router in routers] == [AFTER] * 5


async def test_rollout_and_its_deployments_are_found_and_queued_as_the_tenants(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    tenant = replace(bench.tenant, weight=2.5)
    wanted = request(tenant, [router], urgency=Urgency.EMERGENCY)
    handle = (await start_rollout(bench.client, tenant, wanted)).handle
    await result_of(handle)

    for one, phase in ((handle, "completed"), (child(bench, router), "deployed")):
        info = (await one.describe()).raw_description.workflow_execution_info
        attributes = info.search_attributes.indexed_fields
        found = {name: json.loads(attributes[name].data) for name in ("Tenant", "ChangeId", "Phase")}
        assert found == {"Tenant": bench.tenant.name, "ChangeId": "change-1", "Phase": phase}
        priority = info.priority
        assert (priority.priority_key, priority.fairness_key, priority.fairness_weight) == (
            1,
            bench.tenant.name,
            2.5,
        )


async def test_canaries_go_first_and_alone(bench: Bench) -> None:
    routers = await fleet(bench, 5)
    handle = await start(bench, routers, canaries=2, batch_size=3, approval=HELD)

    held = await until(handle, lambda progress: len(progress.running) == 2)
    assert (held.phase, held.batch, held.running) == (RolloutPhase.CANARY, 0, tuple(routers[:2]))
    await let_go(bench, routers[0])
    held = await until(handle, lambda progress: len(progress.running) == 1)
    assert (held.batch, held.running, held.counts) == (0, (routers[1],), {"deployed": 1})
    await let_go(bench, routers[1])
    held = await until(handle, lambda progress: len(progress.running) == 3)
    assert (held.phase, held.batch, held.running) == (RolloutPhase.DEPLOYING, 1, tuple(routers[2:]))
    await let_go(bench, *routers[2:])

    assert (await result_of(handle)).counts == {"deployed": 5}


async def test_parallelism_is_a_limit_and_can_be_changed(bench: Bench) -> None:
    routers = await fleet(bench, 6)
    handle = await start(bench, routers, canaries=0, parallelism=2, approval=HELD)

    await until(handle, lambda progress: progress.running == tuple(routers[:2]))
    progress = await handle.execute_update(FleetRollout.set_parallelism, ParallelismOrder("ana", 4))
    assert (progress.parallelism, progress.note) == (4, "parallelism 4 by ana")
    await until(handle, lambda progress: progress.running == tuple(routers[:4]))
    await handle.execute_update(FleetRollout.set_parallelism, ParallelismOrder("ana", 1, "slower"))
    await let_go(bench, *routers[:3])
    await until(handle, lambda progress: progress.running == (routers[3],))
    await let_go(bench, routers[3])
    await until(handle, lambda progress: progress.running == (routers[4],))
    await let_go(bench, *routers[4:])

    report = await result_of(handle)
    assert (report.counts, report.note) == ({"deployed": 6}, "parallelism 1 by ana: slower")


async def test_paused_rollout_starts_nothing_until_resumed(bench: Bench) -> None:
    routers = await fleet(bench, 3)
    handle = await start(bench, routers, batch_size=1, approval=HELD)

    await until(handle, lambda progress: progress.running == (routers[0],))
    assert (await handle.execute_update(FleetRollout.pause, Order("ana"))).phase is RolloutPhase.PAUSED
    await let_go(bench, routers[0])
    paused = await until(handle, lambda progress: not progress.running)
    assert (paused.phase, paused.counts) == (RolloutPhase.PAUSED, {"deployed": 1})
    resumed = await handle.execute_update(FleetRollout.resume, Order("ana", "all is well"))
    assert (resumed.phase, resumed.note) == (RolloutPhase.DEPLOYING, "resumed by ana: all is well")
    await let_go(bench, *routers[1:])

    assert (await result_of(handle)).counts == {"deployed": 3}


async def test_rollout_waits_after_the_canaries_when_asked_to(bench: Bench) -> None:
    routers = await fleet(bench, 2)
    handle = await start(bench, routers, is_paused_after_canaries=True)

    paused = await until(handle, lambda progress: progress.phase is RolloutPhase.PAUSED)
    assert (paused.counts, paused.note) == ({"deployed": 1}, "paused after the canaries, as requested")
    await handle.execute_update(FleetRollout.resume, Order("ana"))

    assert (await result_of(handle)).counts == {"deployed": 2}


async def test_orders_that_make_no_sense_are_refused(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    handle = await start(bench, [router], canaries=0, approval=HELD)

    async def refusal(update: Any, order: object) -> str:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(update, order)
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "RequestInvalid"
        return caught.value.cause.message.removeprefix("rollout change-1: ")

    assert await refusal(FleetRollout.resume, Order("ana")) == "is not paused"
    assert await refusal(FleetRollout.pause, Order(" ")) == "by: '' must name who orders"
    assert (
        await refusal(FleetRollout.set_parallelism, ParallelismOrder("ana", 501))
        == "parallelism: 501 must be from 1 to 500"
    )
    await handle.execute_update(FleetRollout.pause, Order("ana"))
    assert await refusal(FleetRollout.pause, Order("luis")) == "is paused already"
    await handle.execute_update(FleetRollout.abort, AbortOrder("ana"))
    over = "takes no more orders: it has ended or is ending as aborted"
    assert await refusal(FleetRollout.resume, Order("ana")) == over
    assert await refusal(FleetRollout.abort, AbortOrder("ana")) == over
    await let_go(bench, router)
    await result_of(handle)


async def test_aborted_rollout_lets_running_deployments_end(bench: Bench) -> None:
    routers = await fleet(bench, 4)
    handle = await start(bench, routers, canaries=0, parallelism=2, approval=HELD)
    await until(handle, lambda progress: len(progress.running) == 2)

    progress = await handle.execute_update(FleetRollout.abort, AbortOrder("ana", "wrong template"))
    assert progress.phase is RolloutPhase.STOPPING
    await let_go(bench, *routers[:2])
    report = await result_of(handle)

    assert (report.outcome, report.note) == (RolloutPhase.ABORTED, "aborted by ana: wrong template")
    assert report.endings == endings(
        routers, Ending.DEPLOYED, Ending.DEPLOYED, Ending.NOT_REACHED, Ending.NOT_REACHED
    )


async def test_abort_can_undo_what_runs_also_as_an_afterthought(bench: Bench) -> None:
    routers = await fleet(bench, 3)
    handle = await start(bench, routers, canaries=0, parallelism=2, approval=HELD)
    await until(handle, lambda progress: len(progress.running) == 2)

    await handle.execute_update(FleetRollout.abort, AbortOrder("ana"))
    progress = await handle.execute_update(FleetRollout.abort, AbortOrder("ana", is_cancelling=True))
    assert progress.phase is RolloutPhase.CANCELLING
    report = await result_of(handle)

    assert report.outcome is RolloutPhase.ABORTED
    assert report.endings == endings(routers, Ending.CANCELLED, Ending.CANCELLED, Ending.NOT_REACHED)
    assert [await bench.running(router) for router in routers] == [BEFORE] * 3


async def test_cancelled_rollout_waits_until_every_router_is_in_a_known_state(bench: Bench) -> None:
    routers = await fleet(bench, 3)
    for router in routers[:2]:
        # The router has the change and is slow to say so: the deployment must come back and undo it.
        await bench.routers.set_fault(router, Fault.SLOW, delay_seconds=1)
    handle = await start(bench, routers, canaries=0, parallelism=2)

    async def are_applied() -> bool:
        return [await bench.running(router) for router in routers[:2]] == [AFTER] * 2

    await eventually(are_applied)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(handle)

    assert isinstance(caught.value.cause, CancelledError)
    statuses = [(await child(bench, router).describe()).status for router in routers[:2]]
    assert statuses == [WorkflowExecutionStatus.CANCELED] * 2
    assert [await bench.running(router) for router in routers] == [BEFORE] * 3
    progress = await handle.query(FleetRollout.progress)
    assert (progress.phase, progress.counts) == (RolloutPhase.CANCELLED, {"cancelled": 2})


async def test_cancelled_while_a_deployment_is_being_started_does_not_lose_it(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    handle = await start(bench, [router], canaries=0, approval=HELD)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await result_of(handle)

    history = await handle.fetch_history()
    started = [
        event
        for event in history.events
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    if started:
        assert (await child(bench, router).describe()).status is WorkflowExecutionStatus.CANCELED
    assert await bench.running(router) == BEFORE


async def test_spent_error_budget_stops_the_rollout(bench: Bench) -> None:
    routers = await fleet(bench, 5)
    for router in routers[1:3]:
        await bench.routers.set_fault(router, Fault.REFUSE_VERIFY)
    handle = await start(bench, routers, canaries=1, parallelism=1, error_budget=1)

    report = await result_of(handle)

    assert (report.outcome, report.counts) == (
        RolloutPhase.BUDGET_SPENT,
        {"deployed": 1, "not-reached": 2, "rolled-back": 2},
    )
    reason = "ChecksFailed: {}: checks failed: neighbours-up"
    assert [(f.router, f.ending, f.reason.startswith(reason.format(f.router))) for f in report.failures] == [
        (router, Ending.ROLLED_BACK, True) for router in routers[1:3]
    ]
    assert [await bench.running(router) for router in routers] == [AFTER, *[BEFORE] * 4]


async def test_failed_canary_stops_the_rollout_whatever_the_budget(bench: Bench) -> None:
    routers = await fleet(bench, 2)
    await bench.routers.set_fault(routers[0], Fault.REFUSE_VERIFY)
    handle = await start(bench, routers, error_budget=10)

    report = await result_of(handle)

    assert report.outcome is RolloutPhase.BUDGET_SPENT
    assert report.endings == endings(routers, Ending.ROLLED_BACK, Ending.NOT_REACHED)


async def test_failures_within_the_budget_are_reported_and_do_not_stop(bench: Bench) -> None:
    routers = await fleet(bench, 4)
    handle = await start(bench, [*routers[:2], "r-none", *routers[2:]], error_budget=3, approval=HELD)
    await let_go(bench, routers[0], routers[1])
    await child(bench, routers[2]).terminate("by mistake")
    await let_go(bench, routers[3])

    report = await result_of(handle)

    assert report.outcome is RolloutPhase.COMPLETED
    assert report.counts == {"deployed": 3, "lost": 1, "refused": 1}
    assert set(report.failures) == {
        RouterFailure("r-none", Ending.REFUSED, "RouterUnknown: r-none: there is no such router"),
        RouterFailure(routers[2], Ending.LOST, "Terminated"),
    }


async def test_router_that_stays_busy_is_a_failure(bench: Bench) -> None:
    routers = await fleet(bench, 2)
    other = await bench.start(routers[0], approval=HELD)
    handle = await start(bench, routers, canaries=0, error_budget=1, busy_seconds=0.5)

    report = await result_of(handle)

    assert report.endings == endings(routers, Ending.BUSY, Ending.DEPLOYED)
    assert report.failures[0].reason == "another deployment had the router for 0.5 s"
    await other.handle.cancel()


async def test_router_that_becomes_free_is_deployed(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    other = await bench.start(router, approval=HELD)
    handle = await start(bench, [router], busy_seconds=30)
    await until(handle, lambda progress: progress.running == (router,))
    await other.handle.cancel()

    assert (await result_of(handle)).endings == {router: Ending.DEPLOYED}


async def test_rollout_waiting_for_a_busy_router_can_be_aborted(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    other = await bench.start(router, approval=HELD)
    handle = await start(bench, [router], busy_seconds=60)
    await until(handle, lambda progress: progress.running == (router,))
    await handle.execute_update(FleetRollout.abort, AbortOrder("ana"))

    assert (await result_of(handle)).endings == {router: Ending.NOT_REACHED}
    await other.handle.cancel()


async def test_closed_window_starts_nothing(bench: Bench) -> None:
    routers = await fleet(bench, 2)
    handle = await start(bench, routers, not_after_unix_seconds=time.time() - 1)

    report = await result_of(handle)

    assert (report.outcome, report.counts) == (RolloutPhase.WINDOW_CLOSED, {"not-reached": 2})
    assert await applied(bench) == []


async def test_window_that_closes_lets_running_deployments_end(bench: Bench) -> None:
    routers = await fleet(bench, 3)
    handle = await start(bench, routers, canaries=0, parallelism=1, window_seconds=2, approval=HELD)

    await until(handle, lambda progress: progress.phase is RolloutPhase.STOPPING)
    await let_go(bench, routers[0])
    report = await result_of(handle)

    assert report.outcome is RolloutPhase.WINDOW_CLOSED
    assert report.endings == endings(routers, Ending.DEPLOYED, Ending.NOT_REACHED, Ending.NOT_REACHED)


async def test_long_rollout_continues_as_new_and_forgets_nothing(bench: Bench) -> None:
    routers = await fleet(bench, 7)
    await bench.routers.set_fault(routers[2], Fault.REFUSE_VERIFY)
    deadline = time.time() + 300
    started = await start_rollout(
        bench.client,
        bench.tenant,
        request(
            bench.tenant,
            routers,
            batch_size=2,
            error_budget=1,
            routers_per_run=2,
            is_paused_after_canaries=True,
            not_after_unix_seconds=deadline,
            urgency=Urgency.EMERGENCY,
        ),
    )
    handle = started.handle
    await until(handle, lambda progress: progress.phase is RolloutPhase.PAUSED)
    await handle.execute_update(FleetRollout.set_parallelism, ParallelismOrder("ana", 1))
    await handle.execute_update(FleetRollout.resume, Order("ana", "go on"))

    report = await result_of(handle)

    assert (report.outcome, report.counts) == (RolloutPhase.COMPLETED, {"deployed": 6, "rolled-back": 1})
    assert sorted(report.endings) == sorted(routers)
    assert [failure.router for failure in report.failures] == [routers[2]]
    assert report.note == "resumed by ana: go on"
    progress = await open_rollout(bench.client, bench.tenant, "change-1").query(FleetRollout.progress)
    assert (progress.total, progress.batch, progress.parallelism) == (7, 3, 1)
    last = (await open_rollout(bench.client, bench.tenant, "change-1").describe()).raw_description
    info = last.workflow_execution_info
    assert (info.first_run_id, info.execution.run_id != started.run_id) == (started.run_id, True)
    assert (info.priority.priority_key, info.priority.fairness_key) == (1, bench.tenant.name)


async def test_paused_rollout_stays_paused_in_its_next_run(bench: Bench) -> None:
    routers = await fleet(bench, 2)
    started = await start_rollout(
        bench.client,
        bench.tenant,
        request(bench.tenant, routers, routers_per_run=1, is_paused_after_canaries=True),
    )
    latest = open_rollout(bench.client, bench.tenant, "change-1")

    async def is_next_run() -> bool:
        return (await latest.describe()).run_id != started.run_id

    await eventually(is_next_run)
    paused = await until(latest, lambda progress: progress.phase is RolloutPhase.PAUSED)
    assert (paused.counts, paused.total) == ({"deployed": 1}, 2)
    await latest.execute_update(FleetRollout.resume, Order("ana"))

    assert (await result_of(started.handle)).counts == {"deployed": 2}


async def test_open_rollout_of_a_change_is_joined_not_doubled(bench: Bench) -> None:
    routers = await fleet(bench, 1)
    first = await start_rollout(bench.client, bench.tenant, request(bench.tenant, routers, approval=HELD))
    second = await start_rollout(bench.client, bench.tenant, request(bench.tenant, routers))

    assert (first.is_new, second.is_new, first.run_id == second.run_id) == (True, False, True)
    await let_go(bench, *routers)
    assert (await result_of(second.handle)).counts == {"deployed": 1}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"targets": ()}, "targets: 0 routers must be from 1 to 5000"),
    ({"targets": (RolloutTarget("r1"), RolloutTarget("r1"))}, "targets: router 'r1' is listed twice"),
    (
        {"targets": (RolloutTarget("r/1"),)},
        "router 'r/1' must be lower-case letters, digits and inner hyphens or dots, at most 63",
    ),
    ({"canaries": -1}, "canaries: -1 must be 0 or more"),
    ({"batch_size": 0}, "batch_size: 0 must be from 1 to 1000"),
    ({"parallelism": 0}, "parallelism: 0 must be from 1 to 500"),
    ({"error_budget": -1}, "error_budget: -1 must be 0 or more"),
    ({"soak_seconds": -1}, "soak_seconds: -1 must be 0 or more"),
    ({"window_seconds": 0}, "window_seconds: 0 must be above 0"),
    (
        {"window_seconds": 60, "not_after_unix_seconds": 1.0},
        "window_seconds: 60 cannot stand beside not_after_unix_seconds",
    ),
    ({"attempts_max": 0}, "attempts_max: 0 must be at least 1"),
    ({"approval": ApprovalPolicy(0)}, "approval.timeout_seconds: 0 must be above 0"),
]


@pytest.mark.parametrize(("changes", "problem"), BAD)
def test_bad_values_are_one_line(changes: dict[str, Any], problem: str) -> None:
    assert request(Tenant("chogar"), ["r1"], **changes).problem() == problem


def test_request_that_temporal_would_not_take_is_refused() -> None:
    size = REQUEST_BYTES_MAX
    wanted = request(Tenant("chogar"), ["r1"], template="x" * size)
    longest = request(Tenant("chogar"), ["r1"], template="x" * (size - 2000))

    assert longest.problem() is None
    assert (wanted.problem() or "").endswith(
        "must have at most 1000000, half of what Temporal takes; make it several rollouts"
    )


async def test_bad_request_is_refused_before_anything_is_called(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"^rollout change-1: batch_size: 0 must be from 1 to 1000$"):
        await start(bench, ["r1"], batch_size=0)
    with pytest.raises(UsageError, match=r"^rollout change-1: carried: is the rollout's own; leave it out$"):
        await start(bench, ["r1"], carried=Carried(0, None, 1, is_paused=False, batch=0, note=""))
    with pytest.raises(ValueError, match="request is of tenant other, not"):
        await start_rollout(bench.client, bench.tenant, request(Tenant("other"), ["r1"]))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batch_size": 0}, ("RequestInvalid", "rollout change-1: batch_size: 0 must be from 1 to 1000")),
        (
            {"version": 2},
            ("RequestTooNew", "rollout change-1: request is of version 2, this worker knows up to 1"),
        ),
    ],
)
async def test_workflow_refuses_what_came_around_the_starter(
    bench: Bench, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await bench.client.execute_workflow(
            FleetRollout.run,
            request(bench.tenant, ["r1"], **changes),
            id=f"rollout-{bench.tenant.name}-change-1",
            task_queue=bench.tenant.task_queue,
        )

    assert failure(caught.value) == expected


async def test_terminated_rollout_makes_its_deployments_undo_themselves(bench: Bench) -> None:
    (router,) = await fleet(bench, 1)
    await bench.routers.set_fault(router, Fault.SLOW, delay_seconds=1)
    handle = await start(bench, [router])

    async def is_applied() -> bool:
        return await bench.running(router) == AFTER

    await eventually(is_applied)
    await handle.terminate()
    with pytest.raises(WorkflowFailureError):
        await child(bench, router).result()

    assert await bench.running(router) == BEFORE


async def test_size_of_the_largest_rollout_stays_below_temporals_limit() -> None:
    """What the last run of the largest rollout takes over, at its worst."""
    routers = [f"{number:04}-{'x' * 58}" for number in range(5000)]
    failures = tuple(
        RouterFailure(router, Ending.ROLLBACK_FAILED, "\u00e9" * 200) for router in routers[:200]
    )
    carried = Carried(
        time.time(),
        time.time(),
        500,
        is_paused=True,
        batch=5000,
        note="n" * 1000,
        endings=dict.fromkeys(routers, Ending.ROLLBACK_FAILED),
        failures=failures,
    )
    wanted = request(
        Tenant("chogar"), routers[:1], template="x" * (REQUEST_BYTES_MAX - 2000), carried=carried
    )

    assert wanted.problem() is None
    (payload,) = await DataConverter.default.encode([wanted])
    assert payload.ByteSize() < 2 * 1024 * 1024
