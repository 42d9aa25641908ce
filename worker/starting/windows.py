"""Maintenance windows: Temporal Schedules that start a rollout at local times and end it with the window.

The server computes the times, by the window's own time zone. A window's rollout is an ordinary
`FleetRollout` whose deadline is the window's end, counted from the moment at which it was meant to start:
one that starts late does not end late. What it did not reach, its report names, and the next window
reaches; routers that have the change already are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleAlreadyRunningError,
    ScheduleHandle,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from worker.client import RPC_TIMEOUT
from worker.errors import UsageError
from worker.models.rollout import RolloutRequest
from worker.starting.rollouts import refuse_unusable
from worker.starting.window_schedule import MaintenanceWindow, WindowStatus, schedule_of, status_of
from worker.tenancy import Tenant, window_schedule_id

_TENANT = SearchAttributeKey.for_keyword("Tenant")


async def create_window(
    client: Client, tenant: Tenant, window: MaintenanceWindow, request: RolloutRequest
) -> WindowStatus:
    """Create a window that rolls out the change whenever it opens.

    Args:
        client: A client of the tenant's namespace.
        tenant: Whose window; must be the request's.
        window: When.
        request: What; without a deadline of its own, the window is its deadline.

    Raises:
        UsageError: When a value cannot be used or the tenant has a window of that name; one line.
        TenancyError: When the window's name cannot stand in an id.
        RPCError: When the server does not answer.
    """
    schedule = _usable(tenant, window, request)
    schedule_id = window_schedule_id(tenant.name, window.name)
    attributes = TypedSearchAttributes([SearchAttributePair(_TENANT, tenant.name)])
    try:
        with _one_line(tenant, window.name):
            await client.create_schedule(
                schedule_id, schedule, search_attributes=attributes, rpc_timeout=RPC_TIMEOUT
            )
    except ScheduleAlreadyRunningError as error:
        raise UsageError(
            f"window {window.name}: tenant {tenant.name} has it already; update it, or delete it first"
        ) from error
    return await describe_window(client, tenant, window.name)


async def update_window(
    client: Client, tenant: Tenant, window: MaintenanceWindow, request: RolloutRequest
) -> WindowStatus:
    """Change when a window opens or what it rolls out; paused stays paused, a running rollout runs on.

    Also what a tenant's move to another strategy asks for: the queue is read anew from the tenant.

    Raises:
        UsageError: When a value cannot be used or there is no such window; one line.
        RPCError: When the server does not answer.
    """
    schedule = _usable(tenant, window, request)

    def changed(current: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(replace(schedule, state=current.description.schedule.state))

    with _one_line(tenant, window.name):
        await _handle(client, tenant, window.name).update(changed, rpc_timeout=RPC_TIMEOUT)
    return await describe_window(client, tenant, window.name)


async def describe_window(client: Client, tenant: Tenant, name: str) -> WindowStatus:
    """Return a window as the server has it.

    Raises:
        UsageError: When there is no such window.
        RPCError: When the server does not answer.
    """
    with _one_line(tenant, name):
        described = await _handle(client, tenant, name).describe(rpc_timeout=RPC_TIMEOUT)
    return await status_of(client, tenant, described)


async def list_windows(client: Client, tenant: Tenant) -> tuple[WindowStatus, ...]:
    """Return the tenant's windows by name. One created a moment ago may be missing: the list is eventual.

    Raises:
        RPCError: When the server does not answer.
    """
    prefix = window_schedule_id(tenant.name, "x")[:-1]
    listed = await client.list_schedules(f"Tenant = '{tenant.name}'", rpc_timeout=RPC_TIMEOUT)
    names = [item.id.removeprefix(prefix) async for item in listed if item.id.startswith(prefix)]
    return tuple([await describe_window(client, tenant, name) for name in sorted(names)])


async def pause_window(client: Client, tenant: Tenant, name: str, note: str) -> None:
    """Start nothing until resumed; a rollout that runs is not touched.

    Raises:
        UsageError: When there is no such window.
        RPCError: When the server does not answer.
    """
    with _one_line(tenant, name):
        await _handle(client, tenant, name).pause(note=note, rpc_timeout=RPC_TIMEOUT)


async def resume_window(client: Client, tenant: Tenant, name: str, note: str) -> None:
    """Start again from the next opening on; what was missed stays missed.

    Raises:
        UsageError: When there is no such window.
        RPCError: When the server does not answer.
    """
    with _one_line(tenant, name):
        await _handle(client, tenant, name).unpause(note=note, rpc_timeout=RPC_TIMEOUT)


async def delete_window(client: Client, tenant: Tenant, name: str) -> None:
    """Remove a window; a rollout that runs is not touched.

    Raises:
        UsageError: When there is no such window.
        RPCError: When the server does not answer.
    """
    with _one_line(tenant, name):
        await _handle(client, tenant, name).delete(rpc_timeout=RPC_TIMEOUT)


async def window_starts(
    client: Client, tenant: Tenant, name: str, after: datetime, before: datetime
) -> tuple[datetime, ...]:
    """Return when a window opens between two moments, in UTC, by the server's own calculation.

    Raises:
        UsageError: When there is no such window.
        RPCError: When the server does not answer.
    """
    first, last = Timestamp(), Timestamp()
    first.FromDatetime(after)
    last.FromDatetime(before)
    wanted = ListScheduleMatchingTimesRequest(
        namespace=client.namespace,
        schedule_id=window_schedule_id(tenant.name, name),
        start_time=first,
        end_time=last,
    )
    with _one_line(tenant, name):
        answer = await client.workflow_service.list_schedule_matching_times(
            wanted, retry=True, timeout=RPC_TIMEOUT
        )
    return tuple(time.ToDatetime(tzinfo=UTC) for time in answer.start_time)


def _usable(tenant: Tenant, window: MaintenanceWindow, request: RolloutRequest) -> Schedule:
    """Return the window's schedule.

    Raises:
        UsageError: When a value cannot be used; one line.
    """
    refuse_unusable(tenant, request)
    problem = window.problem()
    if problem is None and (request.not_after_unix_seconds or request.window_seconds) is not None:
        problem = "the rollout must have no deadline of its own: the window's end is its deadline"
    if problem is not None:
        raise UsageError(f"window {window.name}: {problem}")
    return schedule_of(tenant, window, request)


def _handle(client: Client, tenant: Tenant, name: str) -> ScheduleHandle:
    return client.get_schedule_handle(window_schedule_id(tenant.name, name))


@contextmanager
def _one_line(tenant: Tenant, name: str) -> Iterator[None]:
    """Turn the server's refusals into errors for people.

    Raises:
        UsageError: When there is no such window, or the server cannot use a value (an unknown time zone).
        RPCError: When it is anything else.
    """
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise UsageError(f"window {name}: tenant {tenant.name} has none of that name") from error
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise UsageError(f"window {name}: {error.message}") from error
        raise
