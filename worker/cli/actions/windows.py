"""Maintenance windows of one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from worker.cli.exits import Exit
from worker.cli.output import plain
from worker.cli.requests import login_name, refuse_unrendered
from worker.cli.session import Session
from worker.errors import UsageError
from worker.models.rollout import RolloutRequest
from worker.starting.window_schedule import MaintenanceWindow, Weekday, WindowStatus
from worker.starting.windows import (
    create_window,
    delete_window,
    describe_window,
    list_windows,
    pause_window,
    resume_window,
    update_window,
)


def window_of(name: str, time_zone: str, start: str, minutes: int, days: Sequence[str]) -> MaintenanceWindow:
    """Return the window that was typed.

    Raises:
        UsageError: When a day is none.
    """
    for day in days:
        if day not in set(Weekday):
            raise UsageError(f"--day: {day!r} is none of {', '.join(Weekday)}")
    known = tuple(Weekday(day) for day in days) or MaintenanceWindow.days
    return MaintenanceWindow(name, time_zone, start, minutes, known)


async def list_all(session: Session) -> int:
    """List the tenant's windows; return the exit code."""
    statuses = await list_windows(await _client(session), session.tenant())
    for status in statuses:
        session.output.emit(to_dict(status))
    if statuses:
        session.output.show(_table(statuses))
    else:
        session.output.say("none")
    return Exit.GOOD


async def create(
    session: Session, window: MaintenanceWindow, request: RolloutRequest, *, is_replacing: bool
) -> int:
    """Create or change a window; return the exit code.

    Raises:
        UsageError: When a value cannot be used, or the tenant has a window of that name already.
    """
    for target in request.targets:
        refuse_unrendered(target.router, request.template, target.variables, request.platform)
    client = await _client(session)
    put = update_window if is_replacing else create_window
    return _show(session, await put(client, session.tenant(), window, request))


async def pause(session: Session, name: str, comment: str) -> int:
    """Pause a window; return the exit code."""
    client = await _client(session)
    await pause_window(client, session.tenant(), name, _note("paused", comment))
    return _show(session, await describe_window(client, session.tenant(), name))


async def resume(session: Session, name: str, comment: str) -> int:
    """Resume a window; return the exit code."""
    client = await _client(session)
    await resume_window(client, session.tenant(), name, _note("resumed", comment))
    return _show(session, await describe_window(client, session.tenant(), name))


async def delete(session: Session, name: str) -> int:
    """Delete a window; return the exit code."""
    await delete_window(await _client(session), session.tenant(), name)
    session.output.say(f"window {name}: deleted")
    session.output.emit({"name": name, "is_deleted": True})
    return Exit.GOOD


def to_dict(status: WindowStatus) -> dict[str, Any]:
    """Return plain JSON values: what `--json` shows of a window."""
    window = status.window
    return {
        "name": window.name,
        "time_zone": window.time_zone,
        "start": window.start,
        "duration_minutes": window.duration_minutes,
        "days": [day.value for day in window.days],
        "change_id": status.request.change_id,
        "routers": len(status.request.targets),
        "is_paused": status.is_paused,
        "note": status.note,
        "next_starts": [start.isoformat() for start in status.next_starts],
        "runs": [
            {"workflow_id": run.workflow_id, "started": run.started_at.isoformat()} for run in status.runs
        ],
        "missed": status.missed,
        "skipped": status.skipped,
    }


async def _client(session: Session) -> Client:
    return await session.client(session.tenants.namespace_of(session.tenant()))


def _show(session: Session, status: WindowStatus) -> int:
    session.output.show(_table((status,)))
    session.output.emit(to_dict(status))
    return Exit.GOOD


def _table(statuses: Sequence[WindowStatus]) -> Table:
    table = Table(title="Maintenance windows", title_justify="left")
    for heading in ("Window", "Opens", "Days", "Change", "Routers", "Next (UTC)", "Last rollout"):
        table.add_column(heading, overflow="fold")
    for status in statuses:
        window = status.window
        opens = f"{window.start} {window.time_zone} for {window.duration_minutes} min"
        days = "all" if len(window.days) == len(Weekday) else ", ".join(day[:3] for day in window.days)
        upcoming = f"{status.next_starts[0]:%Y-%m-%d %H:%M}" if status.next_starts else "never"
        last = status.runs[-1].workflow_id if status.runs else ""
        cells = (window.name, opens, days, status.request.change_id, str(len(status.request.targets)))
        state = Text(f"paused: {plain(status.note)}", "yellow") if status.is_paused else Text(upcoming)
        table.add_row(*(Text(plain(cell)) for cell in cells), state, Text(plain(last)))
    return table


def _note(verb: str, comment: str) -> str:
    return f"{verb} by {login_name() or 'somebody'}" + (f": {comment}" if comment else "")
