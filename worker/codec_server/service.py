"""Temporal's codec protocol over HTTP: payloads as JSON in, the same payloads decrypted out.

As the UI and the command line speak it: POST to a path that ends in `/decode` or `/encode`, a body that is
`Payloads` in protobuf's JSON, header `X-Namespace`; 400 for a body that is none. A payload whose key is missing
comes back as it is, so that one old payload does not hide the rest of a history.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads

from worker.encryption.codec import UnreadableError, decrypt, encrypt, is_encrypted
from worker.encryption.keyring import KeyringFile
from worker.tenancy import TenancyError, Tenant

BODY_BYTES_MAX = 64 * 1024 * 1024
"""A page of history as the UI sends it: the server's own limit per history is 50 MB
(`limit.historySize.error`), and base64 adds a third."""
_ALLOWED_HEADERS = "authorization, content-type, x-namespace"
_PREFLIGHT_SECONDS = 600

_LOGGER = logging.getLogger(__name__)


class CodecService:
    """Answers for one keyring."""

    def __init__(self, keys: KeyringFile, origins: frozenset[str], *, may_encode: bool = False) -> None:
        """Create the service.

        Args:
            keys: What decrypts.
            origins: Web pages that may call it from a browser, as `https://HOST`.
            may_encode: Whether `/tenants/TENANT/encode` encrypts, with which the command line can start, update
                and signal a tenant's workflows.
        """
        self._keys = keys
        self._origins = origins
        self._may_encode = may_encode

    def application(self) -> web.Application:
        """Return the routes."""
        application = web.Application(middlewares=[self._allow_origins], client_max_size=BODY_BYTES_MAX)
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.post("/tenants/{tenant}/encode", self._encode),
                # The protocol has the last part of the path decide, wherever the server is mounted.
                web.post("/{prefix:.*}encode", self._refuse_to_encode),
                web.post("/{prefix:.*}decode", self._decode),
                web.options("/{path:.*}", self._preflight),
            ]
        )
        return application

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _preflight(self, _: web.Request) -> web.Response:
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _decode(self, request: web.Request) -> web.Response:
        payloads = await _read(request)
        decoded = [self._decoded(payload) for payload in payloads]
        unread = sum(is_encrypted(payload) for payload in decoded)
        if unread:
            namespace = request.headers.get("X-Namespace", "")
            _LOGGER.warning("%d of %d payloads of %.80r left encrypted", unread, len(decoded), namespace)
        return _answer(decoded)

    def _decoded(self, payload: Payload) -> Payload:
        try:
            return decrypt(self._keys, payload) if is_encrypted(payload) else payload
        except UnreadableError:
            return payload

    async def _encode(self, request: web.Request) -> web.Response:
        if not self._may_encode:
            return await self._refuse_to_encode(request)
        try:
            tenant = Tenant(request.match_info["tenant"]).name
        except TenancyError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _answer([encrypt(self._keys, tenant, payload) for payload in await _read(request)])

    async def _refuse_to_encode(self, _: web.Request) -> web.Response:
        raise web.HTTPForbidden(
            text="encoding needs to know the tenant: start this server with --allow-encode and use /tenants/TENANT"
        )

    @web.middleware
    async def _allow_origins(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Let the pages listed, and no others, read the answer, refusals included."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text)
        response.headers[hdrs.VARY] = hdrs.ORIGIN
        origin = request.headers.get(hdrs.ORIGIN)
        if origin in self._origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "POST"
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = _ALLOWED_HEADERS
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(_PREFLIGHT_SECONDS)
        return response


async def _read(request: web.Request) -> list[Payload]:
    try:
        return list(json_format.Parse(await request.text(), Payloads()).payloads)
    except (json_format.ParseError, UnicodeDecodeError):
        # What the parser complains about quotes the body.
        raise web.HTTPBadRequest(text="the body must be temporal.api.common.v1.Payloads as JSON") from None


def _answer(payloads: list[Payload]) -> web.Response:
    return web.json_response(text=json_format.MessageToJson(Payloads(payloads=payloads)))
