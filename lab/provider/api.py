"""The API server over HTTPS: requests with retries, discovery, server-side apply."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

import aiohttp

from lab.provider.errors import HTTP_NOT_FOUND, ApiError, NoKindError, UnreachableError
from lab.provider.kubeconfig import Connection
from lab.provider.readiness import Query
from lab.provider.values import Object, at, items, number, section, text

RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
RETRY_PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Pauses after an overloaded or starting API server's answer."""
CONNECT_RETRIES = 3
"""Tries after the first when no connection can be made: a restarted API server is back within a second or two."""
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 60.0
CONNECTIONS = 32
"""Requests at a time; Pulumi's default parallelism is 4 x cores."""
CRD_SECONDS = 30.0
"""How long an apply waits for the API server to serve a kind whose CRD has just been created."""


@dataclass(frozen=True)
class Kind:
    """How the API server serves a kind."""

    root: str
    plural: str
    is_namespaced: bool


class Api:
    """One API server, for the life of one provider."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._session: aiohttp.ClientSession | None = None
        self._served: dict[str, dict[str, Kind]] = {}
        self._discovery = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.connection.tls, limit=CONNECTIONS),
                headers=self.connection.headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, connect=CONNECT_SECONDS),
            )
        return self._session

    async def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        params: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request; repeat it while the API server is overloaded, starting, or out of reach for a moment.

        Raises:
            ApiError: the API server refuses.
            UnreachableError: it cannot be reached.
        """
        for attempt in range(len(RETRY_PAUSES_SECONDS) + 1):
            is_last = attempt == len(RETRY_PAUSES_SECONDS)
            try:
                code, answer = await self._once(method, path, body, params, content_type)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if attempt >= CONNECT_RETRIES or isinstance(error, aiohttp.ClientSSLError):
                    reason = str(error) or type(error).__name__
                    server = self.connection.server
                    raise UnreachableError(
                        f"cannot reach the Kubernetes API server {server}: {reason}"
                    ) from error
            else:
                if code < 400:
                    return answer
                if is_last or code not in RETRIED_STATUS:
                    raise ApiError(code, answer)
            await asyncio.sleep(RETRY_PAUSES_SECONDS[min(attempt, len(RETRY_PAUSES_SECONDS) - 1)])
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(
        self, method: str, path: str, body: Object | None, params: dict[str, str] | None, content_type: str
    ) -> tuple[int, Object]:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        url = self.connection.server + path
        async with self._open().request(method, url, data=data, params=params, headers=headers) as response:
            raw = await response.text()
        # Discovery answers 404 in plain text, not as a Status object.
        return response.status, json.loads(raw) if raw.startswith("{") else {"message": raw.strip()}

    async def kind(self, api_version: str, kind: str) -> Kind | None:
        """Return how a kind is served, None if it is not. A miss is asked again: its CRD may have just arrived."""
        root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        async with self._discovery:
            if found := self._served.get(root, {}).get(kind):
                return found
            try:
                document = await self.call("GET", root)
            except ApiError as error:
                if error.code != HTTP_NOT_FOUND:
                    raise
                document = {}
            self._served[root] = {
                text(entry, "kind"): Kind(root, text(entry, "name"), entry.get("namespaced") is True)
                for entry in items(document, "resources")
                if "/" not in text(entry, "name")
            }
            return self._served[root].get(kind)

    async def any_version(self, api_version: str, kind: str) -> Kind | None:
        """Return how a kind is served in the named version, else in any other of its group."""
        if found := await self.kind(api_version, kind):
            return found
        group = api_version.rpartition("/")[0]
        try:
            versions = items(await self.call("GET", f"/apis/{group}"), "versions") if group else []
        except ApiError as error:
            if error.code != HTTP_NOT_FOUND:
                raise
            versions = []
        for version in versions:
            if found := await self.kind(text(version, "groupVersion"), kind):
                return found
        return None

    async def path(self, obj: Object, *, wait_seconds: float = 0.0) -> str:
        """Return the path of an object.

        Args:
            obj: names API version, kind, namespace and name.
            wait_seconds: how long to wait for a kind that is not served yet.

        Raises:
            NoKindError: the kind is not served.
        """
        api_version, kind = text(obj, "apiVersion"), text(obj, "kind")
        end = time.monotonic() + wait_seconds
        while (served := await self.kind(api_version, kind)) is None:
            if time.monotonic() >= end:
                raise NoKindError(api_version, kind)
            await asyncio.sleep(0.25)
        return self.path_in(served, obj)

    def path_in(self, served: Kind, obj: Object) -> str:
        """Return the path of an object of a known kind."""
        namespace = text(obj, "metadata", "namespace") or self.connection.namespace
        middle = f"/namespaces/{namespace}" if served.is_namespaced else ""
        return f"{served.root}{middle}/{served.plural}/{text(obj, 'metadata', 'name')}"

    async def get(self, path: str) -> Object | None:
        """Return an object, None if there is none."""
        try:
            return await self.call("GET", path)
        except ApiError as error:
            if error.code == HTTP_NOT_FOUND:
                return None
            raise

    async def apply(
        self, path: str, obj: Object, manager: str, *, is_forced: bool = False, is_dry_run: bool = False
    ) -> Object:
        """Apply an object server-side; fields the API server does not know are refused."""
        params = {"fieldManager": manager, "force": str(is_forced).lower(), "fieldValidation": "Strict"}
        if is_dry_run:
            params["dryRun"] = "All"
        return await self.call("PATCH", path, obj, params, "application/apply-patch+yaml")

    async def fetch(self, query: Query) -> list[Object]:
        """Return the objects a readiness rule asks for; what is not there is left out."""
        params = {"labelSelector": query.label_selector} if query.label_selector else None
        try:
            found = await self.call("GET", query.path, params=params)
        except ApiError as error:
            if error.code == HTTP_NOT_FOUND:
                return []
            raise
        return items(found, "items") if isinstance(at(found, "items"), list) else [found]

    async def pods(self, namespace: str, selector: str) -> list[Object]:
        """Return the pods a label selector finds."""
        return await self.fetch(Query(f"/api/v1/namespaces/{namespace}/pods", selector))

    async def events(self, obj: Object) -> list[Object]:
        """Return the events about an object, oldest first."""
        metadata = section(obj, "metadata")
        namespace = text(metadata, "namespace") or "default"
        selector = f"involvedObject.uid={text(metadata, 'uid')}"
        found = await self.call(
            "GET", f"/api/v1/namespaces/{namespace}/events", params={"fieldSelector": selector}
        )
        return sorted(
            items(found, "items"), key=lambda event: (text(event, "lastTimestamp"), number(event, "count"))
        )
