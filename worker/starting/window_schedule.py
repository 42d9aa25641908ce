"""A maintenance window and the Temporal Schedule that stands for it: what each is, and one to the other.

Pure; `worker.starting.windows` talks to the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)
from temporalio.common import Priority
from temporalio.converter import WorkflowSerializationContext

from worker.models.rollout import RolloutRequest
from worker.tenancy import Tenant, window_schedule_id
from worker.workflows.fleet_rollout import FleetRollout

DURATION_MINUTES_MAX = 24 * 60

_CATCH_UP = timedelta(minutes=5)
"""A start that was missed for longer is not made up for. Longer than a failover's 40 to 75 seconds; the
server's own default, a year, would run last night's window in the daytime."""
_START = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Weekday(StrEnum):
    """A day on which a window starts, by the window's time zone."""

    SUNDAY = "sunday"
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"


_WEEKDAYS = tuple(Weekday)
"""In Temporal's order: Sunday is 0."""


@dataclass(frozen=True)
class MaintenanceWindow:
    """When a tenant's routers may be changed."""

    name: str
    """Unique within the tenant; lower-case letters, digits, inner hyphens or dots, at most 63."""
    time_zone: str
    """Of the IANA database, for example `Europe/Madrid`."""
    start: str
    """Local time, `HH:MM`. On a night on which clocks change, a time that does not exist is left out, and
    one that exists twice is taken once, the second time (measured, temporal server 1.32); `window_starts`
    tells."""
    duration_minutes: int
    """1 to 1440, as a stopwatch counts: across a change of clocks, the local end is an hour off."""
    days: tuple[Weekday, ...] = _WEEKDAYS
    """Default every day."""

    def problem(self) -> str | None:
        """Return in one line what cannot be used, or None; the time zone is for the server to judge."""
        if not _START.fullmatch(self.start):
            return f"start: {self.start!r} must be HH:MM, for example 01:30"
        if not 1 <= self.duration_minutes <= DURATION_MINUTES_MAX:
            return f"duration_minutes: {self.duration_minutes} must be from 1 to {DURATION_MINUTES_MAX}"
        if not self.days:
            return f"days: none given; must be one or more of {', '.join(_WEEKDAYS)}"
        if not self.time_zone:
            return "time_zone: '' must be an IANA name, for example Europe/Madrid"
        return None


@dataclass(frozen=True)
class WindowRun:
    """One rollout that a window has started."""

    workflow_id: str
    run_id: str
    scheduled_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class WindowStatus:
    """A window as the server has it."""

    window: MaintenanceWindow
    request: RolloutRequest
    """What it rolls out."""
    is_paused: bool
    note: str
    """Why it is paused, or was."""
    next_starts: tuple[datetime, ...]
    """UTC, by the server's own calculation; shown for a paused window too, which will not start."""
    runs: tuple[WindowRun, ...]
    """The latest rollouts, oldest first."""
    missed: int
    """Starts not made up for, because Temporal was away for longer than the catch-up window."""
    skipped: int
    """Starts left out because the rollout before was still running."""


def schedule_of(tenant: Tenant, window: MaintenanceWindow, request: RolloutRequest) -> Schedule:
    """Return the schedule that stands for a window."""
    hour, minute = window.start.split(":")
    days = tuple(ScheduleRange(_WEEKDAYS.index(day)) for day in window.days)
    spec = ScheduleSpec(
        calendars=(
            ScheduleCalendarSpec(
                hour=(ScheduleRange(int(hour)),), minute=(ScheduleRange(int(minute)),), day_of_week=days
            ),
        ),
        time_zone_name=window.time_zone,
    )
    action = ScheduleActionStartWorkflow(
        FleetRollout.run,
        replace(request, window_seconds=window.duration_minutes * 60),
        # The server adds the time at which it was meant to start.
        id=window_schedule_id(tenant.name, window.name),
        task_queue=tenant.task_queue,
        priority=Priority(request.urgency.priority_key, tenant.fairness_key, tenant.weight),
    )
    policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP)
    return Schedule(action=action, spec=spec, policy=policy)


async def status_of(client: Client, tenant: Tenant, described: ScheduleDescription) -> WindowStatus:
    """Return the window for which a schedule stands; the client's codec reads what it rolls out."""
    action = cast("ScheduleActionStartWorkflow", described.schedule.action)
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=action.id)
    payloads = cast("list[Payload]", action.args)
    (request,) = await client.data_converter.with_context(context).decode(payloads, [RolloutRequest])
    info, state, spec = described.info, described.schedule.state, described.schedule.spec
    return WindowStatus(
        window=_window(described.id.removeprefix(window_schedule_id(tenant.name, "x")[:-1]), spec, request),
        request=replace(request, window_seconds=None),
        is_paused=state.paused,
        note=state.note or "",
        next_starts=tuple(info.next_action_times),
        runs=tuple(
            WindowRun(
                run.action.workflow_id, run.action.first_execution_run_id, run.scheduled_at, run.started_at
            )
            for run in info.recent_actions
            if isinstance(run.action, ScheduleActionExecutionStartWorkflow)
        ),
        missed=info.num_actions_missed_catchup_window,
        skipped=info.num_actions_skipped_overlap,
    )


def _window(name: str, spec: ScheduleSpec, request: RolloutRequest) -> MaintenanceWindow:
    """Return when a schedule of ours starts, as `schedule_of` was told."""
    (calendar,) = spec.calendars
    days = {day for span in calendar.day_of_week for day in range(span.start, max(span.end, span.start) + 1)}
    return MaintenanceWindow(
        name=name,
        time_zone=spec.time_zone_name or "UTC",
        start=f"{calendar.hour[0].start:02}:{calendar.minute[0].start:02}",
        duration_minutes=round((request.window_seconds or 0) / 60),
        days=tuple(_WEEKDAYS[day] for day in sorted(days)),
    )
