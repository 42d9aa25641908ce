"""Which worker pool gets a lane's work, where workers are versioned: what one process does for its own pool.

While a tenant gets or gives up workers of its own, two pools poll its queue, each a worker deployment with a current
version. The server gives the work to the deployment that became current last. The tenants file says who leads
instead (`TenantsFile.lanes_led_by`), and the workers bring the server to it as soon as they poll:

- A pool is current only where it leads a lane, so one that is being left never takes the work back.
- The shared pool unsets the version of a pool whose last lane of a namespace it leads. It cannot become current
  anew, since that would touch all the other tenants.
- A tenant's own pool sees whom its lanes follow, and becomes current anew where it is another: the shared pool may
  have had a new release, or an old one back, that once polled this queue.

A version that somebody unset stays so until the tenants file changes: processes read that file up to a minute late,
and one that still has the old copy must not undo what those with the new one did.
"""

from __future__ import annotations

import logging
import time

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError

from worker.client import RPC_TIMEOUT
from worker.serving.versioning import promote, unset
from worker.tenancy import SHARED_POOL, Lane, TenantsFile, worker_deployment

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0
"""How often a process of the release makes sure that all is still so: one of the old build that has not seen the
new tenants file yet may have taken it back."""


class Leadership:
    """One process's part in it; any number of processes of the pool may do the same at the same time."""

    def __init__(self, client: Client, pool: str, version: WorkerDeploymentVersion) -> None:
        self._client = client
        self._pool = pool
        self._version = version
        self._tenants: TenantsFile | None = None
        self._led: set[str] = set()
        """Namespaces where this build has been current since the tenants file changed."""
        self._look_at = 0.0

    async def look(self, tenants: TenantsFile) -> None:
        """Put right who leads, if this build is the release; call it often, while all lanes are polled."""
        if self._version.build_id != tenants.release:
            return
        if tenants != self._tenants:
            self._tenants, self._led, self._look_at = tenants, set(), 0.0
        now = time.monotonic()
        if now >= self._look_at:
            is_done = await self._lead(tenants)
            self._look_at = now + (_LOOK_SECONDS if is_done else 0)

    async def _lead(self, tenants: TenantsFile) -> bool:
        lanes = tenants.lanes_led_by(self._pool)
        namespaces = sorted({lane.namespace for lane in lanes})
        if not all([await self._stand(namespace) for namespace in namespaces]):
            return False
        try:
            if self._pool == SHARED_POOL:
                for namespace, pool in relieved_pools(tenants):
                    await unset(self._client, namespace, worker_deployment(pool))
            else:
                for lane in lanes:
                    await self._take(lane)
        except RPCError as error:
            _LOGGER.warning("pool %s does not lead all its lanes yet: %s", self._pool, error.message)
            return False
        return True

    async def _stand(self, namespace: str) -> bool:
        """Become current in the namespace, unless somebody unset what was; return whether that is so."""
        is_current = await promote(
            self._client, [namespace], self._version, keeps_unset=namespace in self._led
        )
        if is_current:
            self._led.add(namespace)
        return is_current

    async def _take(self, lane: Lane) -> None:
        """Become current anew if the lane follows another deployment."""
        name = await followed(self._client, lane)
        if name in {"", self._version.deployment_name}:
            return
        _LOGGER.info("%s follows %s: taking it over", lane, name)
        await unset(self._client, lane.namespace, self._version.deployment_name)
        await promote(self._client, [lane.namespace], self._version)


def relieved_pools(tenants: TenantsFile) -> list[tuple[str, str]]:
    """Return namespace and name of each pool that still serves lanes there and leads none: all are the shared one's."""
    return [
        (namespace, pool)
        for pool in tenants.pools()
        if pool != SHARED_POOL
        for namespace in sorted({lane.namespace for lane in tenants.lanes(pool)})
        if namespace not in {lane.namespace for lane in tenants.lanes_led_by(pool)}
    ]


async def followed(client: Client, lane: Lane) -> str:
    """Return the worker deployment that gets the lane's new work; empty where it has no current version.

    Raises:
        RPCError: When the server cannot be asked.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=lane.namespace,
            task_queue=TaskQueue(name=lane.task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=RPC_TIMEOUT,
    )
    return answer.versioning_info.current_deployment_version.deployment_name
