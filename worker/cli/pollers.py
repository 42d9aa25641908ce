"""Whether anybody would take up what is about to be started."""

from __future__ import annotations

from temporalio.client import Client

from worker.administration.lanes import count_workers
from worker.cli.errors import CommandError
from worker.tenancy import Lane, Tenant


async def refuse_without_workers(client: Client, tenant: Tenant) -> None:
    """Refuse when nobody takes tasks from the tenant's queue, instead of waiting for who may never come.

    A worker killed less than 90 s ago still counts: the server cannot know better.

    Raises:
        CommandError: Of type `QueueWithoutWorkers`.
        RPCError: When the server does not answer.
    """
    lane = Lane(client.namespace, tenant.task_queue)
    if not await count_workers(client, lane):
        raise CommandError(
            f"tenant {tenant.name}: nobody serves queue {lane}; start worker pool {tenant.worker_pool!r},"
            " or start the deployment anyway with --no-check-workers",
            "QueueWithoutWorkers",
        )
