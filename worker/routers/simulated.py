"""Driver of the simulated routers: the `worker.simulator` service over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import aiohttp

from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    DriverMisusedError,
    RouterDriftedError,
    RouterError,
    RouterUnknownError,
    RouterUnreachableError,
)
from worker.models.deployment import CheckSpec
from worker.routers.driver import (
    BGP_SESSION,
    CONFIGURATION,
    INTERFACE,
    ROUTE,
    Change,
    Check,
    Confirmation,
    RouterState,
    Undo,
    Undone,
)
from worker.routers.inventory import RouterRecord

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
"""Connecting to a live host takes milliseconds; five seconds mean that it is gone. Thirty in all leave room
for a slow router and end well before the activity's own limit."""

_ERRORS: Mapping[str, type[RouterError]] = {
    "unknown-router": RouterUnknownError,
    "drifted": RouterDriftedError,
    "half-applied": ChangeHalfAppliedError,
    "withdrawn": ChangeWithdrawnError,
    "reverted": ChangeRevertedError,
    "bad-request": DriverMisusedError,
}


class SimulatedDriver:
    """Talks to the simulator. Its session belongs to the caller, who closes it."""

    checks = frozenset({CONFIGURATION, BGP_SESSION, ROUTE, INTERFACE})

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def read(self, router: RouterRecord) -> RouterState:
        """See `Driver.read`."""
        answer = await self._call("GET", router, "")
        return RouterState(
            name=answer["name"],
            tenant=answer["tenant"],
            platform=answer["platform"],
            revision=str(answer["revision"]),
            running=tuple(answer["running"]),
        )

    async def apply(self, change: Change) -> str:
        """See `Driver.apply`."""
        body = {
            "idempotency_key": change.idempotency_key,
            "expected_revision": change.expected_revision,
            "running": list(change.lines),
            "confirm_seconds": change.confirm_seconds,
        }
        return str((await self._call("POST", change.router, "/changes", body))["revision"])

    async def confirm(self, confirmation: Confirmation) -> str:
        """See `Driver.confirm`."""
        body = {"idempotency_key": confirmation.idempotency_key, "change_key": confirmation.change_key}
        return str((await self._call("POST", confirmation.router, "/confirmations", body))["revision"])

    async def undo(self, undo: Undo) -> Undone:
        """See `Driver.undo`."""
        body = {
            "idempotency_key": undo.idempotency_key,
            "change_key": undo.change_key,
            "running": list(undo.lines),
        }
        answer = await self._call("POST", undo.router, "/rollbacks", body)
        return Undone(revision=str(answer["revision"]), is_restored=answer["is_restored"])

    async def check(
        self, router: RouterRecord, lines: tuple[str, ...], checks: tuple[CheckSpec, ...]
    ) -> tuple[Check, ...]:
        """See `Driver.check`."""
        body = {"running": list(lines), "checks": [str(check) for check in checks]}
        answer = await self._call("POST", router, "/checks", body)
        return tuple(Check(**check) for check in answer["checks"])

    async def _call(
        self, method: str, router: RouterRecord, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"{self._base_url}/routers/{quote(router.name, safe='')}{path}"
        try:
            async with self._session.request(method, url, json=body, timeout=_TIMEOUT) as response:
                answer = cast("dict[str, Any]", await response.json())
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RouterUnreachableError(router.name, f"no answer from {url}: {error!r}") from error
        if status < 400:
            return answer
        raise _error(router.name, status, answer)


def _error(router: str, status: int, answer: Mapping[str, Any]) -> RouterError:
    kind = str(answer.get("error", ""))
    detail = str(answer.get("detail", f"HTTP status {status}"))
    return _ERRORS.get(kind, RouterUnreachableError)(router, detail)
