"""`python -m worker.bench.support.naive_worker`: what one writes first: a worker per queue, as the SDK has it.

Reads the same environment as `python -m worker` and has the same workflow and steps, so that only the settings
differ. Has no health address: it says `ready` when every worker runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Never

import aiohttp
from temporalio.worker import Worker

from worker.activities.router_activities import RouterActivities
from worker.client import connect
from worker.leaving import leave
from worker.routers.inventory import Inventory
from worker.serving.metrics import runtime
from worker.serving.process import drivers, load_tenants
from worker.settings import WorkerSettings
from worker.workflows.router_deployment import RouterDeployment

READY = "every worker runs"


async def _serve() -> Never:
    settings = WorkerSettings.from_environment(os.environ)
    tenants = load_tenants(settings.tenants_file, None)
    telemetry = runtime(settings.metrics_address)
    client = await connect(namespace=tenants.shared_namespace, runtime=telemetry)
    async with aiohttp.ClientSession() as session:
        activities = RouterActivities(drivers(settings, Inventory(), session)).all()
        workers = [
            Worker(client, task_queue=lane.task_queue, workflows=[RouterDeployment], activities=activities)
            for lane in tenants.lanes(settings.pool)
        ]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        while not all(worker.is_running for worker in workers):  # noqa: ASYNC110 - the SDK has no event
            await asyncio.sleep(0.1)
        logging.getLogger(__name__).warning(READY)
        await asyncio.gather(*running)
    raise AssertionError("workers do not end by themselves")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(_serve())
    finally:
        leave(1)
