"""Maintenance windows on a dev server: when they open, by the server's own calculation, and what they start."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import ScheduleBackfill, ScheduleHandle, ScheduleOverlapPolicy, WorkflowHandle

from tests.worker.rollouts import HELD, let_go, request
from tests.worker.support import AFTER, BEFORE, Bench, eventually
from worker.errors import UsageError
from worker.models.rollout import RolloutPhase, RolloutReport
from worker.starting.window_schedule import MaintenanceWindow, Weekday, WindowRun, WindowStatus
from worker.starting.windows import (
    create_window,
    delete_window,
    describe_window,
    list_windows,
    pause_window,
    resume_window,
    update_window,
    window_starts,
)
from worker.tenancy import TenancyError, Urgency

NIGHTLY = MaintenanceWindow("nightly", "Europe/Madrid", "01:30", 180)


def schedule(bench: Bench, name: str = "nightly") -> ScheduleHandle:
    return bench.client.get_schedule_handle(f"window-{bench.tenant.name}-{name}")


async def create(bench: Bench, window: MaintenanceWindow = NIGHTLY, **changes: Any) -> WindowStatus:
    return await create_window(bench.client, bench.tenant, window, request(bench.tenant, ["r1"], **changes))


async def first_run(bench: Bench) -> WindowRun:
    """Wait for what the window has started."""
    seen: list[WindowRun] = []

    async def has_started() -> bool:
        seen[:] = (await describe_window(bench.client, bench.tenant, "nightly")).runs
        return bool(seen)

    await eventually(has_started)
    return seen[0]


async def report_of(bench: Bench, run: WindowRun) -> RolloutReport:
    handle: WorkflowHandle[Any, RolloutReport] = bench.client.get_workflow_handle(
        run.workflow_id, run_id=run.run_id, result_type=RolloutReport
    )
    return await handle.result()


async def test_window_reads_back_as_it_was_written(bench: Bench) -> None:
    window = replace(NIGHTLY, days=(Weekday.SUNDAY, Weekday.TUESDAY, Weekday.WEDNESDAY))
    wanted = request(bench.tenant, ["r1"], urgency=Urgency.NORMAL)

    status = await create_window(bench.client, bench.tenant, window, wanted)

    assert replace(status, next_starts=()) == WindowStatus(
        window, wanted, is_paused=False, note="", next_starts=(), runs=(), missed=0, skipped=0
    )
    policy = (await schedule(bench).describe()).schedule.policy
    assert (policy.overlap, policy.catchup_window) == (ScheduleOverlapPolicy.SKIP, timedelta(minutes=5))


async def test_next_starts_are_the_servers(bench: Bench) -> None:
    now = datetime.now(UTC)
    status = await create(bench)

    starts = await window_starts(bench.client, bench.tenant, "nightly", now, now + timedelta(days=20))

    assert status.next_starts == starts[: len(status.next_starts)]
    assert len(status.next_starts) == 10


@pytest.mark.parametrize(
    ("start", "first_day", "expected"),
    [
        # Winter time is UTC+1 until 28 March 2027, 02:00; summer time UTC+2 until 31 October 2027, 03:00.
        ("01:30", "2027-03-27", ["03-27T00:30", "03-28T00:30", "03-28T23:30", "03-29T23:30", "03-30T23:30"]),
        ("23:00", "2027-10-29", ["10-29T21:00", "10-30T21:00", "10-31T22:00", "11-01T22:00"]),
        # 02:30 does not exist on 28 March and is left out; on 31 October it exists twice and is taken once.
        ("02:30", "2027-03-27", ["03-27T01:30", "03-29T00:30", "03-30T00:30"]),
        ("02:30", "2027-10-30", ["10-30T00:30", "10-31T01:30", "11-01T01:30", "11-02T01:30"]),
    ],
)
async def test_window_keeps_its_local_time_when_clocks_change(
    bench: Bench, start: str, first_day: str, expected: list[str]
) -> None:
    after = datetime.fromisoformat(first_day).replace(tzinfo=UTC)
    await create(bench, replace(NIGHTLY, start=start))

    starts = await window_starts(bench.client, bench.tenant, "nightly", after, after + timedelta(days=4))

    assert [f"{time:%m-%dT%H:%M}" for time in starts] == expected


async def test_window_on_some_days_starts_on_those_by_local_date(bench: Bench) -> None:
    """Sunday 00:30 in Auckland is Saturday in UTC."""
    await create(bench, MaintenanceWindow("nightly", "Pacific/Auckland", "00:30", 60, (Weekday.SUNDAY,)))
    after = datetime(2027, 6, 1, tzinfo=UTC)

    starts = await window_starts(bench.client, bench.tenant, "nightly", after, after + timedelta(days=14))

    assert [f"{time:%a %m-%dT%H:%M}" for time in starts] == ["Sat 06-05T12:30", "Sat 06-12T12:30"]


async def test_window_that_opens_starts_a_rollout_that_ends_with_it(bench: Bench) -> None:
    router = await bench.router()
    await create_window(
        bench.client, bench.tenant, NIGHTLY, request(bench.tenant, [router], urgency=Urgency.BULK)
    )
    await schedule(bench).trigger()

    run = await first_run(bench)
    report = await report_of(bench, run)

    assert (report.outcome, report.counts) == (RolloutPhase.COMPLETED, {"deployed": 1})
    assert run.workflow_id.startswith(f"window-{bench.tenant.name}-nightly-")
    described = await bench.client.get_workflow_handle(run.workflow_id).describe()
    info = described.raw_description.workflow_execution_info
    assert (info.priority.priority_key, info.priority.fairness_key) == (5, bench.tenant.name)
    assert json.loads(info.search_attributes.indexed_fields["Tenant"].data) == bench.tenant.name


async def test_late_start_does_not_end_late_and_reports_what_it_did_not_reach(bench: Bench) -> None:
    """The server is made to start yesterday's window now, as it would after being away."""
    router = await bench.router()
    await create_window(bench.client, bench.tenant, NIGHTLY, request(bench.tenant, [router]))
    now = datetime.now(UTC)
    (scheduled,) = (await window_starts(bench.client, bench.tenant, "nightly", now - timedelta(days=2), now))[
        :1
    ]
    around = timedelta(minutes=1)
    await schedule(bench).backfill(ScheduleBackfill(scheduled - around, scheduled + around))

    report = await report_of(bench, await first_run(bench))

    assert (report.outcome, report.counts) == (RolloutPhase.WINDOW_CLOSED, {"not-reached": 1})
    assert await bench.running(router) == BEFORE


async def test_window_does_not_start_while_its_last_rollout_runs(bench: Bench) -> None:
    router = await bench.router()
    await create_window(bench.client, bench.tenant, NIGHTLY, request(bench.tenant, [router], approval=HELD))
    await schedule(bench).trigger()
    run = await first_run(bench)
    await schedule(bench).trigger()

    async def is_skipped() -> bool:
        return (await describe_window(bench.client, bench.tenant, "nightly")).skipped == 1

    await eventually(is_skipped)
    await let_go(bench, router)
    assert (await report_of(bench, run)).counts == {"deployed": 1}
    assert await bench.running(router) == AFTER


async def test_window_can_be_paused_changed_resumed_and_deleted(bench: Bench) -> None:
    await create(bench)
    await pause_window(bench.client, bench.tenant, "nightly", "frozen until January")
    later = replace(NIGHTLY, start="03:00", duration_minutes=60)
    changed = await update_window(
        bench.client, bench.tenant, later, request(bench.tenant, ["r2"], change_id="change-2")
    )

    assert (changed.window, changed.is_paused, changed.note) == (later, True, "frozen until January")
    assert (changed.request.change_id, changed.request.targets[0].router) == ("change-2", "r2")
    await resume_window(bench.client, bench.tenant, "nightly", "January")
    resumed = await describe_window(bench.client, bench.tenant, "nightly")
    assert (resumed.is_paused, resumed.note) == (False, "January")
    await delete_window(bench.client, bench.tenant, "nightly")
    with pytest.raises(
        UsageError, match=f"^window nightly: tenant {bench.tenant.name} has none of that name$"
    ):
        await describe_window(bench.client, bench.tenant, "nightly")


async def test_windows_of_a_tenant_are_listed_and_nobody_elses(bench: Bench) -> None:
    other = replace(bench.tenant, name=f"{bench.tenant.name}x")
    await create(bench, replace(NIGHTLY, name="weekly"))
    await create(bench)
    await create_window(bench.client, other, NIGHTLY, request(other, ["r1"]))

    async def are_listed() -> bool:
        return len(await list_windows(bench.client, bench.tenant)) == 2

    await eventually(are_listed)
    listed = await list_windows(bench.client, bench.tenant)
    assert [status.window.name for status in listed] == ["nightly", "weekly"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start": "1:30"}, "start: '1:30' must be HH:MM, for example 01:30"),
        ({"start": "24:00"}, "start: '24:00' must be HH:MM, for example 01:30"),
        ({"duration_minutes": 0}, "duration_minutes: 0 must be from 1 to 1440"),
        (
            {"days": ()},
            f"days: none given; must be one or more of {', '.join(Weekday)}",
        ),
        ({"time_zone": ""}, "time_zone: '' must be an IANA name, for example Europe/Madrid"),
        ({"time_zone": "Europe/Atlantis"}, "Invalid schedule spec: unknown time zone Europe/Atlantis"),
    ],
)
async def test_bad_windows_are_one_line(bench: Bench, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        await create(bench, replace(NIGHTLY, **changes))

    assert str(caught.value) == f"window nightly: {problem}"


async def test_bad_rollouts_and_names_are_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"^rollout change-1: parallelism: 0 must be from 1 to 500$"):
        await create(bench, parallelism=0)
    with pytest.raises(UsageError, match=r"^window nightly: the rollout must have no deadline of its own"):
        await create(bench, not_after_unix_seconds=1.0)
    with pytest.raises(TenancyError, match=r"^window 'a/b' must be lower-case"):
        await create(bench, replace(NIGHTLY, name="a/b"))
    await create(bench)
    with pytest.raises(UsageError, match=r"has it already; update it, or delete it first$"):
        await create(bench)
