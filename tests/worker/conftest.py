"""One dev server for the session; a simulator, and on demand worker processes, for each test."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from temporalio.client import Client

from tests.worker.support import Bench, MeddledDriver, WorkerProcess, eventually
from worker.activities.router_activities import RouterActivities
from worker.administration.namespaces import reconcile_all
from worker.client import connect
from worker.demo.embedded import dev_server_binary, free_port
from worker.routers.drivers import SIMULATED, Drivers
from worker.serving.pool import WorkerPool
from worker.simulator.client import SimulatorClient
from worker.simulator.service import Service
from worker.simulator.store import Store
from worker.tenancy import Namespace, Tenant, TenantsFile

NAMESPACE = "production"


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_port(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on port {port}")


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [str(dev_server_binary()), "server", "start-dev", "--headless", "--port", str(port)]
    command += ["--ip", "127.0.0.1", "--log-level", "error"]
    command += ["--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true"]
    with running(command, tmp_path_factory.mktemp("temporal") / "log", {}):
        wait_for_port(port)
        address = f"127.0.0.1:{port}"
        asyncio.run(usable(address))
        yield address


async def usable(address: str, **environment: str) -> Client:
    """Connect to a server as soon as it serves, which is later than its port opens, and prepare the namespace."""

    async def is_serving() -> bool:
        with suppress(RuntimeError):
            await connect({"TEMPORAL_ADDRESS": address})
            return True
        return False

    await eventually(is_serving, 30)
    client = await connect({"TEMPORAL_ADDRESS": address, **environment}, namespace=NAMESPACE)
    await reconcile_all(client, [Namespace(NAMESPACE)], timedelta(seconds=30))
    return client


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect({"TEMPORAL_ADDRESS": temporal_address}, namespace=NAMESPACE)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def routers_url(tmp_path: Path) -> AsyncIterator[str]:
    server = TestServer(Service(Store(tmp_path / "simulator.sqlite3")).application())
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def routers(session: aiohttp.ClientSession, routers_url: str) -> SimulatorClient:
    return SimulatorClient(session, routers_url)


@pytest.fixture
def tenant() -> Tenant:
    return Tenant(f"t{secrets.token_hex(4)}")


@pytest.fixture
def tenants(tenant: Tenant) -> TenantsFile:
    return TenantsFile(NAMESPACE, (Namespace(NAMESPACE),), (tenant,))


@pytest.fixture
async def bench(
    client: Client,
    routers: SimulatorClient,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenant: Tenant,
    tenants: TenantsFile,
) -> AsyncIterator[Bench]:
    """A worker in this process that serves one tenant of the test's own."""
    driver = MeddledDriver(session, routers_url)
    pool = WorkerPool(client, RouterActivities(Drivers({SIMULATED: driver})), timedelta(seconds=2))
    await pool.serve(tenants.lanes("shared"))
    yield Bench(client, routers, tenant, driver)
    await pool.drain()


@pytest.fixture
def start_worker(
    temporal_address: str, tmp_path: Path, tenants: TenantsFile
) -> Iterator[Callable[[str], WorkerProcess]]:
    """Start worker processes that serve the test's tenants."""
    path = tmp_path / "tenants.json"
    path.write_text(tenants.to_json())
    with ExitStack() as stack:

        def start(routers_url: str, **environment: str) -> WorkerProcess:
            number = secrets.token_hex(2)
            health, metrics = free_port(), free_port()
            values = {
                "TEMPORAL_ADDRESS": temporal_address,
                "ROUTERFLEET_TENANTS_FILE": str(path),
                "ROUTERFLEET_ROUTERS_URL": routers_url,
                "ROUTERFLEET_HEALTH_ADDRESS": f"127.0.0.1:{health}",
                "ROUTERFLEET_METRICS_ADDRESS": f"127.0.0.1:{metrics}",
                "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "10",
                **environment,
            }
            log = tmp_path / f"worker-{number}.log"
            process = stack.enter_context(running([sys.executable, "-m", "worker"], log, values))
            return WorkerProcess(process, f"http://127.0.0.1:{health}", f"http://127.0.0.1:{metrics}", log)

        yield start
