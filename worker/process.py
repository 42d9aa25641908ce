"""The worker process: connect, serve every tenant's queue, follow the tenants file, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from datetime import timedelta
from pathlib import Path

import aiohttp
from temporalio.client import Client
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError

from worker.activities.router_activities import RouterActivities
from worker.client import RPC_TIMEOUT, connect
from worker.errors import UsageError
from worker.health import Health, serve_health
from worker.logs import configure_logging
from worker.pool import WorkerPool, lanes, wait_for
from worker.routers.simulated import SimulatedDriver
from worker.settings import Address, WorkerSettings
from worker.tenancy import TenancyError, TenantsFile

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 3.0
"""How often the tenants file and the connection are looked at."""
_RECONNECT_SECONDS_MAX = 15.0
_MISSED_LOOKS_MAX = 3
"""Unanswered looks until the process calls itself not ready: one lost server must not flap it."""


def main() -> int:
    """Run the worker until SIGTERM; return the process's exit code: 0 drained, 1 failed, 2 bad settings."""
    configure_logging()
    try:
        settings = WorkerSettings.from_environment(os.environ)
        tenants = load_tenants(settings.tenants_file, os.environ.get("TEMPORAL_NAMESPACE"))
        Address.parse("TEMPORAL_ADDRESS", os.environ.get("TEMPORAL_ADDRESS", ""))
        asyncio.run(_run(settings, tenants))
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


async def _run(settings: WorkerSettings, tenants: TenantsFile) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    health = Health()
    runtime = _runtime(settings.metrics_address)
    async with serve_health(health, settings.health_address), aiohttp.ClientSession() as session:
        client = await _connect_patiently(runtime, stopping)
        if client is None:
            return
        activities = RouterActivities(SimulatedDriver(session, settings.routers_url))
        pool = WorkerPool(client, activities, timedelta(seconds=settings.graceful_shutdown_seconds))
        await _serve(settings, tenants, client, pool, health, stopping)
        health.reason = "stopping"
        _LOGGER.info(
            "stopping: no new work; running steps have %g s to end", settings.graceful_shutdown_seconds
        )
        await pool.drain()
        _LOGGER.info("stopped")


async def _serve(
    settings: WorkerSettings,
    tenants: TenantsFile,
    client: Client,
    pool: WorkerPool,
    health: Health,
    stopping: asyncio.Event,
) -> None:
    """Serve until told to stop, picking up tenants as the file changes."""
    missed_looks = 0
    while not stopping.is_set():
        await pool.serve(lanes(tenants, settings.pool))
        missed_looks = 0 if await _answers(client) else missed_looks + 1
        if missed_looks >= _MISSED_LOOKS_MAX:
            health.reason = "Temporal does not answer"
        else:
            health.reason = "" if pool.is_polling else "not polling every queue yet"
        # Starting up is looked at closely, so that readiness is not up to three seconds late.
        await wait_for(stopping, _LOOK_SECONDS if health.is_ready else 0.2)
        tenants = _reload(settings.tenants_file, tenants)


def _reload(path: Path, current: TenantsFile) -> TenantsFile:
    """Return the file's tenants, or the current ones while the file cannot be used."""
    try:
        tenants = load_tenants(path, current.shared_namespace)
    except TenancyError as error:
        _LOGGER.error("keeping the tenants as they were: %s", error)  # noqa: TRY400 - expected, one line
        return current
    if tenants != current:
        _LOGGER.info("tenants are now: %s", ", ".join(tenant.name for tenant in tenants.tenants) or "none")
    return tenants


async def _connect_patiently(runtime: Runtime, stopping: asyncio.Event) -> Client | None:
    """Connect however long it takes; return None when told to stop first."""
    pause_seconds = 1.0
    while not stopping.is_set():
        try:
            return await connect(runtime=runtime)
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


def _runtime(metrics: Address) -> Runtime:
    """Return the SDK's runtime: metrics for Prometheus, its own log lines among ours.

    Raises:
        UsageError: When the metrics address cannot be listened on.
    """
    telemetry = TelemetryConfig(
        logging=LoggingConfig(
            TelemetryFilter(core_level="WARN", other_level="ERROR"),
            forwarding=LogForwardingConfig(logging.getLogger("temporalio.core")),
        ),
        metrics=PrometheusConfig(
            bind_address=str(metrics), counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        ),
    )
    try:
        return Runtime(telemetry=telemetry)
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"ROUTERFLEET_METRICS_ADDRESS: {metrics} cannot be listened on: {error}") from error
