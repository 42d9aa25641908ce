"""What the bugs are planted in: Temporal's dev server on a file, the simulated routers, a worker in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from load_tests.checker.mutations.workflows import QUEUE, WORKFLOWS
from worker.activities.router_activities import RouterActivities
from worker.administration.namespaces import reconcile_all
from worker.client import connect
from worker.demo.embedded import Part, dev_server_binary, free_port, part
from worker.routers.drivers import SIMULATED, Drivers
from worker.routers.simulated import SimulatedDriver
from worker.serving.pool import WorkerPool
from worker.simulator.client import SimulatorClient, SimulatorError
from worker.tenancy import Namespace, Tenant, TenantsFile

NAMESPACE = "production"
TENANT = Tenant("planted")
TENANTS = TenantsFile(NAMESPACE, (Namespace(NAMESPACE),), (TENANT,))
_LOOPBACK = "127.0.0.1"
_DRAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Stage:
    """A running system.

    Attributes:
        client: Of the namespace.
        simulator: The routers.
        routers_url: Where they are.
        database: The server's SQLite file, visibility included.
        folder: For whatever a bug needs.
    """

    client: Client
    simulator: SimulatorClient
    session: aiohttp.ClientSession
    routers_url: str
    database: Path
    folder: Path


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Run everything while the block runs.

    Args:
        folder: For files and logs.

    Raises:
        UsageError: When the dev server's binary is missing.
        EmbeddedError: When a part does not start.
    """
    database, routers = folder / "temporal.sqlite3", f"{_LOOPBACK}:{free_port()}"
    async with AsyncExitStack() as stack:
        command = (sys.executable, "-m", "worker.simulator", "--listen", routers, "--data", str(folder))
        routers_part = await stack.enter_async_context(part(folder / "simulator.log", command))
        client, _ = await stack.enter_async_context(server(database, free_port()))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        simulator = SimulatorClient(session, f"http://{routers}")
        await routers_part.wait_until(lambda: _answers(simulator))
        await stack.enter_async_context(workers(client))
        driver = SimulatedDriver(session, f"http://{routers}")
        pool = WorkerPool(client, RouterActivities(Drivers({SIMULATED: driver})), _DRAIN)
        await pool.serve(TENANTS.lanes("shared"))
        stack.push_async_callback(pool.drain)
        yield Stage(client, simulator, session, f"http://{routers}", database, folder)


@asynccontextmanager
async def server(database: Path, port: int) -> AsyncIterator[tuple[Client, Part]]:
    """Run a dev server on a file while the block runs; the namespace is there."""
    address = f"{_LOOPBACK}:{port}"
    options = ("--headless", "--ip", _LOOPBACK, "--port", str(port), "--log-level", "error")
    refresh = ("--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true")
    command = (str(dev_server_binary()), "server", "start-dev", *options, *refresh)
    log = database.with_suffix(".log")
    async with part(log, (*command, "--db-filename", str(database))) as process:
        await process.wait_until(lambda: _can_connect(address))
        client = await connect({"TEMPORAL_ADDRESS": address}, namespace=NAMESPACE)
        await reconcile_all(client, TENANTS.all_namespaces(), timedelta(seconds=30))
        yield client, process


@asynccontextmanager
async def workers(client: Client) -> AsyncIterator[None]:
    """Serve the small workflows while the block runs."""
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=list(WORKFLOWS),
        # The sandbox would keep the bugs of `Fickle` from us.
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=_DRAIN,
    ):
        yield


async def _can_connect(address: str) -> bool:
    with suppress(RuntimeError):
        await connect({"TEMPORAL_ADDRESS": address})
        return True
    return False


async def _answers(simulator: SimulatorClient) -> bool:
    with suppress(SimulatorError, asyncio.TimeoutError):
        await simulator.ledger("none")
        return True
    return False
