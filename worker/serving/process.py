"""The worker process: connect, serve every tenant's queue, follow the tenants file, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from worker.activities.router_activities import RouterActivities
from worker.client import RPC_TIMEOUT, connect, keyring_file
from worker.errors import UsageError
from worker.logs import configure_logging
from worker.routers.credentials import CredentialStore
from worker.routers.drivers import SIMULATED, Drivers
from worker.routers.frr import PLATFORM as FRR
from worker.routers.frr import FrrDriver
from worker.routers.inventory import Inventory
from worker.routers.napalm_connection import PLATFORMS as NAPALM_PLATFORMS
from worker.routers.napalm_driver import NapalmDriver
from worker.routers.simulated import SimulatedDriver
from worker.serving.health import Health, serve_health
from worker.serving.leadership import Leadership
from worker.serving.memory import keep_large_blocks_apart
from worker.serving.metrics import runtime
from worker.serving.pool import Extra, WorkerPool, wait_for
from worker.settings import Address, WorkerSettings
from worker.tenancy import TenancyError, TenantsFile

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 3.0
"""How often the tenants file and the connection are looked at."""
_RECONNECT_SECONDS_MAX = 15.0
_MISSED_LOOKS_MAX = 3
"""Unanswered looks until the process calls itself not ready: one lost server must not flap it."""


def main(extra: Extra | None = None) -> int:
    """Run the worker until SIGTERM; return the process's exit code: 0 drained, 1 failed, 2 bad settings."""
    keep_large_blocks_apart()
    configure_logging(hides_messages=keyring_file(os.environ) is not None)
    try:
        settings = WorkerSettings.from_environment(os.environ)
        tenants = TenantsFileReader(settings.tenants_file, os.environ.get("TEMPORAL_NAMESPACE"))
        inventory = Inventory.load(settings.inventory_file) if settings.inventory_file else Inventory()
        Address.parse("TEMPORAL_ADDRESS", os.environ.get("TEMPORAL_ADDRESS", ""))
        asyncio.run(_run(settings, tenants, inventory, extra or Extra()))
    except (UsageError, TenancyError) as error:
        for line in str(error).splitlines():
            _LOGGER.error(line)  # noqa: TRY400 - one line for people, not a trace
        return 2
    return 0


def load_tenants(path: Path, namespace: str | None) -> TenantsFile:
    """Read the tenants file.

    Raises:
        TenancyError: When it cannot be used, or says another shared namespace than `TEMPORAL_NAMESPACE`.
    """
    tenants = TenantsFile.load(path)
    if namespace and namespace != tenants.shared_namespace:
        raise TenancyError(
            f"TEMPORAL_NAMESPACE: {namespace!r} must be the shared namespace {tenants.shared_namespace!r} of {path}"
        )
    return tenants


class TenantsFileReader:
    """Reads the tenants file again and again, at no cost while it stays as it is."""

    def __init__(self, path: Path, namespace: str | None) -> None:
        self._path = path
        self._namespace = namespace
        self._read = b""
        self.tenants = load_tenants(path, namespace)

    def look(self) -> None:
        """Take what the file says now, or keep what there was while it cannot be used."""
        try:
            content = self._path.read_bytes()
            if content == self._read:
                return
            tenants = load_tenants(self._path, self._namespace)
        except (OSError, TenancyError) as error:
            _LOGGER.error("keeping the tenants as they were: %s", error)  # noqa: TRY400 - expected, one line
            return
        self._read = content
        if tenants != self.tenants:
            self.tenants = tenants
            _LOGGER.info(
                "tenants are now: %s", ", ".join(tenant.name for tenant in tenants.tenants) or "none"
            )


async def _run(
    settings: WorkerSettings, tenants: TenantsFileReader, inventory: Inventory, extra: Extra
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    health = Health()
    telemetry = runtime(settings.metrics_address)
    async with serve_health(health, settings.health_address), aiohttp.ClientSession() as session:
        client = await _connect_patiently(telemetry, stopping)
        if client is None:
            return
        pool = WorkerPool(
            client,
            RouterActivities(drivers(settings, inventory, session)),
            timedelta(seconds=settings.graceful_shutdown_seconds),
            version=settings.version,
            meter=telemetry.metric_meter,
            extra=extra,
        )
        version = settings.version
        leadership = Leadership(client, settings.pool, version) if version else None
        await _Process(settings, tenants, client, pool, health, leadership).serve(stopping)
        health.reason = "stopping"
        _LOGGER.info(
            "stopping: no new work; running steps have %g s to end", settings.graceful_shutdown_seconds
        )
        await pool.drain()
        _LOGGER.info("stopped")


def drivers(settings: WorkerSettings, inventory: Inventory, session: aiohttp.ClientSession) -> Drivers:
    """Return the driver of every platform."""
    credentials = CredentialStore(settings.credentials_folder)
    # One for all its platforms: it bounds its threads. They end with the process.
    napalm = NapalmDriver(credentials)
    return Drivers(
        {
            SIMULATED: SimulatedDriver(session, settings.routers_url),
            FRR: FrrDriver(credentials),
            **dict.fromkeys(NAPALM_PLATFORMS, napalm),
        },
        inventory,
    )


@dataclass
class _Process:
    """What the process does between its start and its end."""

    settings: WorkerSettings
    tenants: TenantsFileReader
    client: Client
    pool: WorkerPool
    health: Health
    leadership: Leadership | None
    """None: workers are not versioned."""
    missed_looks: int = 0

    async def serve(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop, picking up tenants as the file changes."""
        while not stopping.is_set():
            tenants = self.tenants.tenants
            await self.pool.serve(tenants.lanes(self.settings.pool))
            self.missed_looks = 0 if await _answers(self.client) else self.missed_looks + 1
            if self.missed_looks >= _MISSED_LOOKS_MAX:
                self.health.reason = "Temporal does not answer"
            else:
                self.health.reason = "" if self.pool.is_polling else "not polling every queue yet"
            if self.health.is_ready and self.leadership is not None:
                await self.leadership.look(tenants)
            # Starting up is looked at closely, so that readiness is not up to three seconds late.
            await wait_for(stopping, _LOOK_SECONDS if self.health.is_ready else 0.2)
            self.tenants.look()


async def _connect_patiently(telemetry: Runtime, stopping: asyncio.Event) -> Client | None:
    """Connect however long it takes; return None when told to stop first."""
    pause_seconds = 1.0
    while not stopping.is_set():
        try:
            return await connect(runtime=telemetry)
        except (RuntimeError, RPCError) as error:
            _LOGGER.warning(
                "Temporal at %s cannot be reached: %s; trying again in %g s",
                os.environ.get("TEMPORAL_ADDRESS"),
                error,
                pause_seconds,
            )
        await wait_for(stopping, pause_seconds)
        pause_seconds = min(pause_seconds * 2, _RECONNECT_SECONDS_MAX)
    return None


async def _answers(client: Client) -> bool:
    try:
        return await client.service_client.check_health(timeout=RPC_TIMEOUT)
    except RPCError:
        return False
