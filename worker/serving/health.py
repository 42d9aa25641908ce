"""The process's health over HTTP: `/healthz` is it alive, `/readyz` does it serve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from worker.errors import UsageError
from worker.settings import Address


@dataclass
class Health:
    """What the process knows of itself; whoever runs the process writes it."""

    reason: str = "not connected to Temporal yet"
    """Why it is not ready; empty when it is."""

    @property
    def is_ready(self) -> bool:
        """Whether it is connected and polls every queue."""
        return not self.reason


@asynccontextmanager
async def serve_health(health: Health, address: Address) -> AsyncIterator[None]:
    """Answer probes while the block runs.

    Raises:
        UsageError: When the address cannot be listened on.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        status = HTTPStatus.OK if health.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": health.reason or "ok"}, status=status)

    application = web.Application()
    application.add_routes([web.get("/healthz", live), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            raise UsageError(
                f"ROUTERFLEET_HEALTH_ADDRESS: {address} cannot be listened on: {error.strerror or error}"
            ) from error
        yield
    finally:
        await runner.cleanup()
