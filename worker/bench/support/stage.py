"""The processes under test, on loopback: Temporal's dev server, the simulated routers, workers."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from temporalio.client import Client

from worker.administration.namespaces import reconcile_all
from worker.client import connect
from worker.demo.embedded import Part, dev_server_binary, free_port, part
from worker.tenancy import TenantsFile

_LOOPBACK = "127.0.0.1"
_PYTHON = (sys.executable, "-m")


@dataclass(frozen=True)
class ReadyPart(Part):
    """A worker process, which says when it serves every queue."""

    ready_url: str

    async def is_ready(self) -> bool:
        """Return whether it polls every queue."""
        return await answers(self.ready_url)


@dataclass(frozen=True)
class Stage:
    """A running server with namespaces, the routers, and where files go."""

    folder: Path
    address: str
    routers_url: str
    client: Client
    """Of the shared namespace."""
    server: Part

    @asynccontextmanager
    async def worker(
        self, name: str, tenants: TenantsFile, *, pool: str = "shared", module: str = "worker"
    ) -> AsyncIterator[ReadyPart]:
        """Run a worker process while the block runs; does not wait until it is ready."""
        file = self.folder / f"{name}.json"
        file.write_text(tenants.to_json(), encoding="utf-8")
        health, metrics = (f"{_LOOPBACK}:{free_port()}" for _ in range(2))
        environment = {
            "TEMPORAL_ADDRESS": self.address,
            "ROUTERFLEET_TENANTS_FILE": str(file),
            "ROUTERFLEET_ROUTERS_URL": self.routers_url,
            "ROUTERFLEET_POOL": pool,
            "ROUTERFLEET_HEALTH_ADDRESS": health,
            "ROUTERFLEET_METRICS_ADDRESS": metrics,
            "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "0",
        }
        async with part(self.folder / f"{name}.log", (*_PYTHON, module), environment) as process:
            yield ReadyPart(process.process, process.log, f"http://{health}/readyz")


@asynccontextmanager
async def stage(tenants: TenantsFile, dynamic_config: Mapping[str, object]) -> AsyncIterator[Stage]:
    """Run a dev server of its own, with the tenants' namespaces, and the routers while the block runs.

    Args:
        tenants: Whose namespaces are created.
        dynamic_config: The server's dynamic configuration, key to value, besides its own.

    Raises:
        EmbeddedError: When a part does not start.
    """
    address, routers = (f"{_LOOPBACK}:{free_port()}" for _ in range(2))
    environment = {"TEMPORAL_ADDRESS": address}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="routerfleet-bench-")))
        command = (str(dev_server_binary()), *_server_options(address, dynamic_config))
        server = await stack.enter_async_context(part(folder / "temporal.log", command))
        command = (*_PYTHON, "worker.simulator", "--listen", routers, "--data", str(folder))
        simulator = await stack.enter_async_context(part(folder / "simulator.log", command))
        await server.wait_until(lambda: _can_connect(environment))
        await simulator.wait_until(lambda: answers(f"http://{routers}/healthz"))
        client = await connect(environment, namespace=tenants.shared_namespace)
        await reconcile_all(client, tenants.all_namespaces())
        yield Stage(folder, address, f"http://{routers}", client, server)


def rss_mb(process_id: int) -> float:
    """Return a process's resident memory, in MB."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def answers(url: str) -> bool:
    """Return whether the address answers 200."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False


async def _can_connect(environment: Mapping[str, str]) -> bool:
    try:
        await connect(environment)
    except RuntimeError:
        return False
    return True


def _server_options(address: str, dynamic_config: Mapping[str, object]) -> tuple[str, ...]:
    host, _, port = address.rpartition(":")
    values = {"system.forceSearchAttributesCacheRefreshOnRead": True, **dynamic_config}
    options = [
        option
        for key, value in values.items()
        for option in ("--dynamic-config-value", f"{key}={str(value).lower()}")
    ]
    listen = ("--headless", "--ip", host, "--port", port, "--log-level", "error")
    return ("server", "start-dev", *listen, *options)
