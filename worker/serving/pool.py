"""Serves any number of tenants' queues in one process: one SDK worker per namespace and queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import MetricMeter, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker

from worker.activities.router_activities import RouterActivities
from worker.administration.namespaces import is_usable
from worker.client import in_namespace
from worker.serving.interceptors import TenantInterceptor
from worker.serving.limits import (
    STARTS_PER_SECOND,
    WORKFLOW_TASKS_WAITING_MAX,
    WORKFLOW_THREADS,
    Limits,
    limits_of,
)
from worker.serving.metrics import StepMetrics
from worker.serving.runner import SharedRunner, WorkflowThreads
from worker.serving.slots import TenantSlots
from worker.serving.versioning import deployment_config
from worker.tenancy import Lane
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment

_LOGGER = logging.getLogger(__name__)

_STICKY_TIMEOUT = timedelta(seconds=5)
"""How long a workflow waits for the worker that has it in memory before any other takes it over. Half the
SDK's default, because a killed worker is the case this system is built for."""
_RETRY_SECONDS_MAX = 15.0


@dataclass(frozen=True)
class Extra:
    """What a benchmark's workers serve besides."""

    workflows: tuple[type, ...] = ()
    activities: tuple[Callable[..., Any], ...] = ()


@dataclass
class _Server:
    """What serves one lane."""

    lane: Lane
    limits: Limits
    is_stopping: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is to stop, or to go on with other limits."""
    worker: Worker | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_polling(self) -> bool:
        return self.worker is not None and self.worker.is_running


class WorkerPool:
    """The lanes of one process: started, restarted after failures, and stopped as the tenants change."""

    def __init__(
        self,
        client: Client,
        activities: RouterActivities,
        graceful_shutdown: timedelta,
        *,
        version: WorkerDeploymentVersion | None = None,
        meter: MetricMeter = MetricMeter.noop,
        extra: Extra = Extra(),
    ) -> None:
        self._client = client
        self._clients: dict[str, Client] = {}
        self._workflows = [RouterDeployment, FleetRollout, *extra.workflows]
        self._activities = [*activities.all(), *extra.activities]
        self._graceful_shutdown = graceful_shutdown
        self._version = version
        self._slots = TenantSlots()
        self._interceptor = TenantInterceptor(self._slots, StepMetrics(meter))
        self._runner = SharedRunner()
        self._threads = WorkflowThreads(WORKFLOW_THREADS, WORKFLOW_TASKS_WAITING_MAX)
        self._usable: set[str] = set()
        self._pace = asyncio.Lock()
        self._servers: dict[Lane, _Server] = {}

    @property
    def is_polling(self) -> bool:
        """Whether every lane is served. True without lanes: there is nothing to wait for."""
        return all(server.is_polling for server in self._servers.values())

    async def serve(self, wanted: Iterable[Lane]) -> None:
        """Start the lanes that are new and stop those that are gone; running steps of the latter end first."""
        lanes = {lane: lane for lane in wanted}
        self._slots.set_tenants(tenant for lane in lanes for tenant in lane.tenants)
        for lane in sorted(lanes.keys() - self._servers.keys()):
            server = _Server(lane, limits_of(lane, len(lanes)))
            server.task = asyncio.create_task(self._keep(server), name=f"lane {lane}")
            self._servers[lane] = server
        for lane in lanes.keys() & self._servers.keys():
            self._change(self._servers[lane], limits_of(lanes[lane], len(lanes)))
        gone = sorted(self._servers.keys() - lanes.keys())
        await asyncio.gather(*(self._stop(lane) for lane in gone))

    async def drain(self) -> None:
        """Stop polling everywhere and let running steps end, for as long as the graceful shutdown allows."""
        await self.serve(())
        self._threads.shutdown(wait=False)

    def _change(self, server: _Server, limits: Limits) -> None:
        """Let the lane go on with another number of slots; nothing else is worth the interruption."""
        if limits.activity_slots != server.limits.activity_slots:
            _LOGGER.info("%s: from now on %d steps at a time", server.lane, limits.activity_slots)
            server.limits = limits
            server.changed.set()

    async def _stop(self, lane: Lane) -> None:
        server = self._servers.pop(lane)
        server.is_stopping = True
        server.changed.set()
        if server.task is not None:
            await server.task
        _LOGGER.info("stopped serving %s", lane)

    async def _keep(self, server: _Server) -> None:
        """Serve the lane until told to stop, whatever happens to it."""
        pause_seconds = 1.0
        while not server.is_stopping:
            server.changed.clear()
            problem = await self._serve_once(server)
            if server.changed.is_set():
                continue
            _LOGGER.warning("not serving %s: %s; trying again in %g s", server.lane, problem, pause_seconds)
            await wait_for(server.changed, pause_seconds)
            pause_seconds = min(pause_seconds * 2, _RETRY_SECONDS_MAX)

    async def _serve_once(self, server: _Server) -> str:
        """Serve the lane until something changes or goes wrong; return what went wrong."""
        stopping: asyncio.Task[None] | None = None
        try:
            if not await self._is_usable(server.lane.namespace):
                return "namespace or its search attributes do not exist yet (python -m worker.tenants apply)"
            if server.changed.is_set():
                return "changed"
            worker = server.worker = self._worker(server)
            _LOGGER.info("serving %s", server.lane)
            stopping = asyncio.create_task(_shut_down_when(server.changed, worker))
            await worker.run()
        except (RPCError, RuntimeError) as error:
            return f"{error}"
        finally:
            server.worker = None
            if stopping is not None:
                stopping.cancel()
        return "the worker ended"

    async def _is_usable(self, namespace: str) -> bool:
        """Return whether deployments can run there, in a lane's turn to start."""
        async with self._pace:
            await asyncio.sleep(1 / STARTS_PER_SECOND)
        if namespace not in self._usable and await is_usable(self._client, namespace):
            self._usable.add(namespace)
        return namespace in self._usable

    def _worker(self, server: _Server) -> Worker:
        lane, limits = server.lane, server.limits
        return Worker(
            self._client_of(lane.namespace),
            task_queue=lane.task_queue,
            workflows=self._workflows,
            activities=self._activities,
            interceptors=[self._interceptor],
            workflow_runner=self._runner,
            workflow_task_executor=self._threads,
            workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=limits.workflow_pollers),
            activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=limits.activity_pollers),
            max_concurrent_workflow_tasks=limits.workflow_slots,
            max_concurrent_activities=limits.activity_slots,
            max_cached_workflows=limits.cached_workflows,
            sticky_queue_schedule_to_start_timeout=_STICKY_TIMEOUT,
            graceful_shutdown_timeout=self._graceful_shutdown,
            # A step that does not go through the queue goes past the tenant's rate and out of its turn.
            disable_eager_activity_execution=True,
            deployment_config=deployment_config(self._version),
        )

    def _client_of(self, namespace: str) -> Client:
        """Return the one client that all lanes of a namespace share."""
        if namespace not in self._clients:
            self._clients[namespace] = in_namespace(self._client, namespace)
        return self._clients[namespace]


async def _shut_down_when(changed: asyncio.Event, worker: Worker) -> None:
    await changed.wait()
    await worker.shutdown()


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event for so long at most; return whether it has come."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
