"""Serves any number of tenants' queues in one process: one SDK worker per namespace and queue."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from worker.activities.router_activities import RouterActivities
from worker.client import in_namespace
from worker.namespaces import is_usable
from worker.tenancy import TenantsFile
from worker.workflows.router_deployment import RouterDeployment

_LOGGER = logging.getLogger(__name__)

_WORKFLOW_POLLERS = 2
"""The least the SDK allows: one for new work, one for the sticky queue."""
_ACTIVITY_POLLERS = 1
"""Few, because pollers count against the server's limit per namespace: measured, 300 queues with these
figures work on stock settings and 1000 do not (temporal server 1.32, `frontend.namespaceCount` 1200)."""
_SLOTS = 20
"""Workflow tasks and steps at a time and queue. A step mostly waits for its router."""
_CACHED_WORKFLOWS = 100
_STICKY_TIMEOUT = timedelta(seconds=5)
"""How long a workflow waits for the worker that has it in memory before any other takes it over. Half the
SDK's default, because a killed worker is the case this system is built for."""
_RETRY_SECONDS_MAX = 15.0


@dataclass(frozen=True, order=True)
class Lane:
    """One queue in one namespace."""

    namespace: str
    task_queue: str


def lanes(tenants: TenantsFile, pool: str) -> frozenset[Lane]:
    """Return the lanes that the worker pool of that name serves."""
    return frozenset(
        Lane(tenants.namespace_of(tenant), tenant.task_queue) for tenant in tenants.served_by(pool)
    )


@dataclass
class _Server:
    """What serves one lane."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_polling(self) -> bool:
        return self.worker is not None and self.worker.is_running


class WorkerPool:
    """The lanes of one process: started, restarted after failures, and stopped as the tenants change."""

    def __init__(self, client: Client, activities: RouterActivities, graceful_shutdown: timedelta) -> None:
        self._client = client
        self._activities = activities
        self._graceful_shutdown = graceful_shutdown
        self._servers: dict[Lane, _Server] = {}

    @property
    def is_polling(self) -> bool:
        """Whether every lane is served. True without lanes: there is nothing to wait for."""
        return all(server.is_polling for server in self._servers.values())

    async def serve(self, wanted: frozenset[Lane]) -> None:
        """Start the lanes that are new and stop those that are gone; running steps of the latter end first."""
        for lane in sorted(wanted - self._servers.keys()):
            server = _Server()
            server.task = asyncio.create_task(self._keep(lane, server), name=f"lane {lane.task_queue}")
            self._servers[lane] = server
        gone = sorted(self._servers.keys() - wanted)
        await asyncio.gather(*(self._stop(lane) for lane in gone))

    async def drain(self) -> None:
        """Stop polling everywhere and let running steps end, for as long as the graceful shutdown allows."""
        await self.serve(frozenset())

    async def _stop(self, lane: Lane) -> None:
        server = self._servers.pop(lane)
        server.stopping.set()
        if server.worker is not None:
            await server.worker.shutdown()
        if server.task is not None:
            await server.task
        _LOGGER.info("stopped serving %s in %s", lane.task_queue, lane.namespace)

    async def _keep(self, lane: Lane, server: _Server) -> None:
        """Serve the lane until told to stop, whatever happens to it."""
        pause_seconds = 1.0
        while not server.stopping.is_set():
            problem = await self._serve_once(lane, server)
            if server.stopping.is_set():
                return
            _LOGGER.warning(
                "not serving %s in %s: %s; trying again in %g s",
                lane.task_queue,
                lane.namespace,
                problem,
                pause_seconds,
            )
            await wait_for(server.stopping, pause_seconds)
            pause_seconds = min(pause_seconds * 2, _RETRY_SECONDS_MAX)

    async def _serve_once(self, lane: Lane, server: _Server) -> str:
        """Serve the lane for as long as it goes well; return why it does not."""
        try:
            if not await is_usable(self._client, lane.namespace):
                return "namespace or its search attributes do not exist yet (python -m worker.tenants apply)"
            if server.stopping.is_set():
                return "stopping"
            server.worker = self._worker(lane)
            _LOGGER.info("serving %s in %s", lane.task_queue, lane.namespace)
            await server.worker.run()
        except (RPCError, RuntimeError) as error:
            return f"{error}"
        finally:
            server.worker = None
        return "the worker ended"

    def _worker(self, lane: Lane) -> Worker:
        return Worker(
            in_namespace(self._client, lane.namespace),
            task_queue=lane.task_queue,
            workflows=[RouterDeployment],
            activities=self._activities.all(),
            workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=_WORKFLOW_POLLERS),
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=_ACTIVITY_POLLERS),
            max_concurrent_workflow_tasks=_SLOTS,
            max_concurrent_activities=_SLOTS,
            max_cached_workflows=_CACHED_WORKFLOWS,
            sticky_queue_schedule_to_start_timeout=_STICKY_TIMEOUT,
            graceful_shutdown_timeout=self._graceful_shutdown,
        )


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event for so long at most; return whether it has come."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
