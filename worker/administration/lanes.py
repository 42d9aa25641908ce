"""What a tenant has in a lane: open workflows, waiting tasks, maintenance windows, and who serves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeScheduleRequest,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListSchedulesRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.namespaces import count_open
from worker.client import RPC_TIMEOUT
from worker.tenancy import SHARED_QUEUE, WORKFLOW_KINDS, Lane, Tenant

_POLLER_AGE = timedelta(seconds=90)
"""A poll waits for 60 s at most; the server goes on listing a worker for minutes after its last."""

_QUEUE_TYPES = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


@dataclass(frozen=True)
class LaneState:
    """What a tenant has in a lane."""

    namespace: str
    task_queue: str
    open_deployments: int
    """Open workflows of the tenant: deployments, rollouts and what windows have started."""
    backlog: int | None
    """Tasks that wait for a worker, about; None on the shared queue, which does not say whose they are."""
    windows: int
    """Maintenance windows (schedules) of the tenant that start rollouts here."""
    workers: int
    """Workers that have polled within the last one and a half minutes."""
    follows: str = ""
    """Worker deployment whose current version gets the work; default none: workers without a version do."""

    @property
    def is_drained(self) -> bool:
        """Whether nothing would be lost if nobody served the lane any more.

        The backlog tells of a start that the count does not show yet. Where nobody takes it, it is what
        terminated deployments have left behind, and would never end.
        """
        is_expected = bool(self.backlog) and self.workers > 0
        return not (self.open_deployments or self.windows or is_expected)

    @property
    def lane(self) -> str:
        """Where, for people."""
        return f"{self.task_queue} in {self.namespace}"

    @property
    def contents(self) -> str:
        """What is there, for people."""
        backlog = "" if self.backlog is None else f", {self.backlog} tasks waiting"
        return f"{self.open_deployments} open deployments{backlog}, {self.windows} maintenance windows"

    def __str__(self) -> str:
        return f"{self.lane}: {self.contents}"


async def observe(client: Client, tenant: Tenant, lane: Lane) -> LaneState:
    """Return what the tenant has in the lane; nothing where there is no such namespace."""
    try:
        queues = [await _describe(client, lane, kind) for kind in _QUEUE_TYPES]
        open_deployments = await count_open_in(client, tenant, lane)
        windows = await _count_windows(client, tenant, lane)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return LaneState(lane.namespace, lane.task_queue, 0, None, 0, 0)
        raise
    is_shared = lane.task_queue == SHARED_QUEUE
    backlog = None if is_shared else sum(queue.stats.approximate_backlog_count for queue in queues)
    # A worker polls both types; whoever polls only one cannot run a deployment.
    workers = min(_count_workers(queue) for queue in queues)
    follows = queues[0].versioning_info.current_deployment_version.deployment_name
    return LaneState(lane.namespace, lane.task_queue, open_deployments, backlog, windows, workers, follows)


async def count_open_in(client: Client, tenant: Tenant, lane: Lane) -> int:
    """Return how many workflows the tenant has open in the lane; visibility may be a second behind."""
    try:
        return await count_open(client, lane.namespace, _open_query(tenant, lane))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return 0
        raise


async def count_workers(client: Client, lane: Lane) -> int:
    """Return how many workers take both workflow tasks and steps from the lane; one killed lately still counts."""
    return min([_count_workers(await _describe(client, lane, kind)) for kind in _QUEUE_TYPES])


def _open_query(tenant: Tenant, lane: Lane) -> str:
    if lane.task_queue != SHARED_QUEUE:
        return f"TaskQueue = '{lane.task_queue}'"
    # Not the attribute Tenant, which a workflow sets only when a worker has begun it.
    ids = " OR ".join(f"WorkflowId STARTS_WITH '{kind}-{tenant.name}-'" for kind in WORKFLOW_KINDS)
    return f"TaskQueue = '{lane.task_queue}' AND ({ids})"


async def _describe(client: Client, lane: Lane, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=lane.namespace,
            task_queue=TaskQueue(name=lane.task_queue),
            task_queue_type=kind,
            report_stats=True,
        ),
        retry=True,
        timeout=RPC_TIMEOUT,
    )


def _count_workers(queue: DescribeTaskQueueResponse) -> int:
    since = datetime.now(UTC) - _POLLER_AGE
    return len(
        {
            poller.identity
            for poller in queue.pollers
            if poller.last_access_time.ToDatetime(tzinfo=UTC) >= since
        }
    )


async def _count_windows(client: Client, tenant: Tenant, lane: Lane) -> int:
    """Count the tenant's schedules whose rollouts would start in the lane."""
    listed = await client.workflow_service.list_schedules(
        ListSchedulesRequest(
            namespace=lane.namespace,
            maximum_page_size=1000,
            query=f"ScheduleId STARTS_WITH 'window-{tenant.name}-'",
        ),
        retry=True,
        timeout=RPC_TIMEOUT,
    )
    count = 0
    for entry in listed.schedules:
        answer = await client.workflow_service.describe_schedule(
            DescribeScheduleRequest(namespace=lane.namespace, schedule_id=entry.schedule_id),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
        count += answer.schedule.action.start_workflow.task_queue.name == lane.task_queue
    return count
