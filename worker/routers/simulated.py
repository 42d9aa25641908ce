"""Driver of the simulated routers: the `worker.simulator` service over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import aiohttp

from worker.errors import (
    ChangeHalfAppliedError,
    ChangeWithdrawnError,
    DriverMisusedError,
    RouterDriftedError,
    RouterError,
    RouterUnknownError,
    RouterUnreachableError,
)
from worker.routers.driver import Change, Check, RouterState, Undo, Undone

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
"""Connecting to a live host takes milliseconds; five seconds mean that it is gone. Thirty in all leave room
for a slow router and end well before the activity's own limit."""

_ERRORS: Mapping[str, type[RouterError]] = {
    "unknown-router": RouterUnknownError,
    "drifted": RouterDriftedError,
    "half-applied": ChangeHalfAppliedError,
    "withdrawn": ChangeWithdrawnError,
    "bad-request": DriverMisusedError,
}


class SimulatedDriver:
    """Talks to the simulator. Its session belongs to the caller, who closes it."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def read(self, router: str) -> RouterState:
        """See `Driver.read`."""
        answer = await self._call("GET", router, "")
        return RouterState(
            name=answer["name"],
            tenant=answer["tenant"],
            platform=answer["platform"],
            revision=answer["revision"],
            running=tuple(answer["running"]),
        )

    async def apply(self, change: Change) -> int:
        """See `Driver.apply`."""
        body = {
            "idempotency_key": change.idempotency_key,
            "expected_revision": change.expected_revision,
            "running": list(change.lines),
        }
        answer = await self._call("POST", change.router, "/changes", body)
        return int(answer["revision"])

    async def undo(self, undo: Undo) -> Undone:
        """See `Driver.undo`."""
        body = {
            "idempotency_key": undo.idempotency_key,
            "change_key": undo.change_key,
            "running": list(undo.lines),
        }
        answer = await self._call("POST", undo.router, "/rollbacks", body)
        return Undone(revision=answer["revision"], is_restored=answer["is_restored"])

    async def check(self, router: str, lines: tuple[str, ...]) -> tuple[Check, ...]:
        """See `Driver.check`."""
        answer = await self._call("POST", router, "/checks", {"running": list(lines)})
        return tuple(Check(**check) for check in answer["checks"])

    async def _call(
        self, method: str, router: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"{self._base_url}/routers/{quote(router, safe='')}{path}"
        try:
            async with self._session.request(method, url, json=body, timeout=_TIMEOUT) as response:
                answer = cast("dict[str, Any]", await response.json())
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RouterUnreachableError(router, f"no answer from {url}: {error!r}") from error
        if status < 400:
            return answer
        raise _error(router, status, answer)


def _error(router: str, status: int, answer: Mapping[str, Any]) -> RouterError:
    kind = str(answer.get("error", ""))
    detail = str(answer.get("detail", f"HTTP status {status}"))
    return _ERRORS.get(kind, RouterUnreachableError)(router, detail)
