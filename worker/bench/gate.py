"""A gate between one worker and the simulated routers: tells the moment at which a request passes.

Killing a worker "while it applies a change" by watching and sleeping would hit another moment on every
machine. Every request of the worker passes here, so that the kill comes exactly before the router hears of
it, or exactly after the router has answered and before the worker knows. The fault `slow` of the simulator
opens the same gap for a step that is under way; it does not tell when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Trip:
    """Which request to a router trips the gate."""

    method: str
    path: str
    """Below the router's own: `changes`, `checks`; empty for reading its state."""
    count: int = 1
    """The how-manieth of its kind, from 1."""
    is_answered: bool = False
    """Whether the router takes the request and answers before the gate trips, or never sees it."""


class Trips:
    """What trips the gates of all workers, each once, whichever worker comes to it."""

    def __init__(self, trips: Mapping[str, Trip]) -> None:
        """Take one trip per router."""
        self._trips = dict(trips)
        self._seen = dict.fromkeys(trips, 0)

    def take(self, method: str, path: str) -> tuple[str, Trip] | None:
        """Return the router and the trip that this request is, or None."""
        router, _, rest = path.removeprefix("/routers/").partition("/")
        trip = self._trips.get(router)
        if trip is None or (method, rest) != (trip.method, trip.path):
            return None
        self._seen[router] += 1
        return (router, trip) if self._seen[router] == trip.count else None


class Gate:
    """Passes one worker's requests on to the simulator, and says which router's trip it was."""

    def __init__(self, routers_url: str, trips: Trips, on_trip: Callable[[str], None]) -> None:
        self._routers_url = routers_url
        self._trips = trips
        self._on_trip = on_trip

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Stand on loopback while the block runs; yield the base URL."""
        async with aiohttp.ClientSession() as self._session:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", self._pass)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
            await runner.setup()
            try:
                await web.TCPSite(runner, _LOOPBACK, 0).start()
                yield f"http://{_LOOPBACK}:{runner.addresses[0][1]}"
            finally:
                await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        tripped = self._trips.take(request.method, request.path)
        if tripped is not None and not tripped[1].is_answered:
            self._on_trip(tripped[0])
            return web.Response(status=503)
        body = await request.read()
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        url = f"{self._routers_url}{request.path_qs}"
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            content = await answer.read()
        if tripped is not None:
            self._on_trip(tripped[0])
        return web.Response(status=answer.status, body=content, content_type="application/json")
