"""The simulator's HTTP face.

| request | body | answer |
|---|---|---|
| `GET /healthz` | | `{"status": "ok"}` |
| `PUT /routers/NAME` | `tenant`, optional `site`, `platform`, `latency_seconds`, `running` | the router; an existing one is left alone |
| `GET /routers/NAME` | | the router |
| `POST /routers/NAME/changes` | `idempotency_key`, `expected_revision`, `running`, optional `confirm_seconds` | `{"revision": n}` |
| `POST /routers/NAME/confirmations` | `idempotency_key`, `change_key` | `{"revision": n}` |
| `POST /routers/NAME/rollbacks` | `idempotency_key`, `change_key`, `running` | `{"revision": n, "is_restored": bool}` |
| `POST /routers/NAME/checks` | `running`, optional `checks` (names) | `{"checks": [{"name", "is_passed", "detail"}]}` |
| `PUT /routers/NAME/faults/KIND` | optional `times` (1), `delay_seconds` (0) | `{}` |
| `GET /ledger?prefix=P&after=N` | | `{"entries": [...]}`, oldest first, at most 10000 |

An error answers `{"error": kind, "detail": text}`. No authentication: it simulates, on a network of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar, cast

from aiohttp import web

from worker.simulator.store import Fault, Router, Store, StoreError

_Value = TypeVar("_Value")

_STATUS = {
    "unknown-router": HTTPStatus.NOT_FOUND,
    "unreachable": HTTPStatus.SERVICE_UNAVAILABLE,
    "bad-request": HTTPStatus.BAD_REQUEST,
}
"""Every other error kind is a conflict with the router's state."""

_DELAY_SECONDS_MAX = 3600.0


class Service:
    """Answers requests from one store, one at a time, in a thread of its own so that nobody waits for disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    def application(self) -> web.Application:
        """Return the application; it closes the store when it ends."""
        application = web.Application(middlewares=[_errors_as_json])
        application.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/ledger", self._ledger),
                web.get("/routers/{name}", self._get_router),
                web.put("/routers/{name}", self._put_router),
                web.post("/routers/{name}/changes", self._apply),
                web.post("/routers/{name}/confirmations", self._confirm),
                web.post("/routers/{name}/rollbacks", self._roll_back),
                web.post("/routers/{name}/checks", self._check),
                web.put("/routers/{name}/faults/{kind}", self._set_fault),
            ]
        )
        application.on_cleanup.append(self._close)
        return application

    async def _close(self, _: web.Application) -> None:
        await self._run(self._store.close)
        self._thread.shutdown()

    async def _health(self, _: web.Request) -> web.Response:
        await self._run(lambda: self._store.ledger("", 0, limit=1))
        return web.json_response({"status": "ok"})

    async def _ledger(self, request: web.Request) -> web.Response:
        prefix = request.query.get("prefix", "")
        after = _convert(request.query.get("after", "0"), int, "after")
        entries = await self._run(lambda: self._store.ledger(prefix, after))
        return web.json_response({"entries": [entry.to_dict() for entry in entries]})

    async def _get_router(self, request: web.Request) -> web.Response:
        router = await self._reach(request)
        return web.json_response(router.to_dict())

    async def _put_router(self, request: web.Request) -> web.Response:
        body = await _body(request)
        wanted = Router(
            name=request.match_info["name"],
            tenant=_text(body, "tenant"),
            site=_text(body, "site", "lab"),
            platform=_text(body, "platform", "simulated"),
            latency_seconds=_seconds(body, "latency_seconds"),
            revision=1,
            running=_lines(body) if "running" in body else (f"hostname {request.match_info['name']}",),
        )
        router = await self._run(lambda: self._store.put_router(wanted))
        return web.json_response(router.to_dict())

    async def _apply(self, request: web.Request) -> web.Response:
        router = await self._reach(request)
        body = await _body(request)
        key, lines = _text(body, "idempotency_key"), _lines(body)
        expected = _convert(body.get("expected_revision"), int, "expected_revision")
        seconds = _seconds(body, "confirm_seconds") if "confirm_seconds" in body else None
        revision = await self._run(lambda: self._store.apply(router.name, key, expected, lines, seconds))
        await self._be_slow(router.name)
        return web.json_response({"revision": revision})

    async def _confirm(self, request: web.Request) -> web.Response:
        router = await self._reach(request)
        body = await _body(request)
        key, change_key = _text(body, "idempotency_key"), _text(body, "change_key")
        revision = await self._run(lambda: self._store.confirm(router.name, key, change_key))
        return web.json_response({"revision": revision})

    async def _roll_back(self, request: web.Request) -> web.Response:
        router = await self._reach(request)
        body = await _body(request)
        key, change_key, lines = _text(body, "idempotency_key"), _text(body, "change_key"), _lines(body)
        revision, is_restored = await self._run(
            lambda: self._store.roll_back(router.name, key, change_key, lines)
        )
        return web.json_response({"revision": revision, "is_restored": is_restored})

    async def _check(self, request: web.Request) -> web.Response:
        router = await self._reach(request)
        body = await _body(request)
        lines, declared = _lines(body), _names(body, "checks")
        is_refused = await self._run(lambda: self._store.take_fault(router.name, Fault.REFUSE_VERIFY))
        checks = [
            _verdict("configuration", router.running == lines, "it runs something else"),
            _verdict("neighbours-up", is_refused is None, "no neighbour answers"),
            *(_verdict(name, is_refused is None, "it does not hold") for name in declared),
        ]
        return web.json_response({"checks": checks})

    async def _set_fault(self, request: web.Request) -> web.Response:
        body = await _body(request)
        fault = _convert(request.match_info["kind"], Fault, "fault")
        times = _convert(body.get("times", 1), int, "times")
        delay_seconds = _seconds(body, "delay_seconds")
        name = request.match_info["name"]
        await self._run(lambda: self._store.set_fault(name, fault, times, delay_seconds))
        return web.json_response({})

    async def _reach(self, request: web.Request) -> Router:
        """Return the router once its latency has passed.

        Raises:
            StoreError: `unknown-router`, or `unreachable` when that fault is set.
        """
        name = request.match_info["name"]
        router = await self._run(lambda: self._store.router(name))
        if await self._run(lambda: self._store.take_fault(name, Fault.UNREACHABLE)) is not None:
            raise StoreError("unreachable", "cannot be reached")
        await asyncio.sleep(router.latency_seconds)
        return router

    async def _be_slow(self, name: str) -> None:
        delay_seconds = await self._run(lambda: self._store.take_fault(name, Fault.SLOW))
        await asyncio.sleep(delay_seconds or 0)

    async def _run(self, work: Callable[[], _Value]) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    try:
        return await handler(request)
    except StoreError as error:
        status = _STATUS.get(error.kind, HTTPStatus.CONFLICT)
        return web.json_response({"error": error.kind, "detail": str(error)}, status=status)


def _verdict(name: str, is_passed: bool, detail: str) -> dict[str, Any]:
    return {"name": name, "is_passed": is_passed, "detail": "" if is_passed else detail}


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body: object = await request.json()
    except ValueError as error:
        raise StoreError("bad-request", f"body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise StoreError("bad-request", "body must be a JSON object")
    return cast("dict[str, Any]", body)


def _text(body: dict[str, Any], key: str, default: str | None = None) -> str:
    value = body.get(key, default)
    if not isinstance(value, str) or not value:
        raise StoreError("bad-request", f"{key}: {value!r} must be text")
    return value


def _lines(body: dict[str, Any]) -> tuple[str, ...]:
    return _texts(body.get("running"), "running")


def _names(body: dict[str, Any], key: str) -> tuple[str, ...]:
    return _texts(body.get(key, []), key)


def _texts(value: object, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(line, str) for line in cast("list[object]", value)):
        raise StoreError("bad-request", f"{key}: {value!r} must be a list of lines")
    return tuple(cast("list[str]", value))


def _seconds(body: dict[str, Any], key: str) -> float:
    value = _convert(body.get(key, 0), float, key)
    if not 0 <= value <= _DELAY_SECONDS_MAX:
        raise StoreError("bad-request", f"{key}: {value} must be from 0 to {_DELAY_SECONDS_MAX:g}")
    return value


def _convert(value: object, kind: Callable[[Any], _Value], key: str) -> _Value:
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise StoreError("bad-request", f"{key}: {value!r} cannot be used: {error}") from error
