"""The Kubernetes API server over HTTPS: a few requests with the pod's own account, on one connection kept open.

Not a client library: what is asked is five paths, and the image is Debian's Python and nothing else.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

from zone_watcher.errors import ApiError

TIMEOUT_SECONDS = 1.0
"""For connecting, and for each wait for bytes. A server in a dark zone must not hold up a decision: behind one name
stand several, and a new connection reaches another."""
ATTEMPTS = 3
"""Of a read, each on a new connection after the first."""
TOKEN = "token"  # noqa: S105  # a file's name
"""File with the account's token; replaced by the kubelet now and then."""
AUTHORITY = "ca.crt"
"""File with the API server's certificate authority."""


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    body: Mapping[str, Any]
    time: datetime
    """By its clock."""


class Api:
    """The API server. For one thread."""

    def __init__(self, host: str, port: int, account: Path) -> None:
        """Prepare; nothing is asked yet.

        Args:
            host: Name or address, as every pod is told it.
            port: Its port.
            account: Folder with the account's token and the authority.
        """
        self._host, self._port, self._account = host, port, account
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> Answer:
        """Read an object or a list.

        Raises:
            ApiError: It was refused, or nobody answered.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._request("GET", path)
            except ApiError as error:
                if error.status or attempt == ATTEMPTS:
                    raise
        raise AssertionError

    def delete(self, path: str, options: Mapping[str, Any]) -> Answer:
        """Delete an object, once: whoever did not hear the answer looks again before the next attempt.

        Args:
            path: The object.
            options: A DeleteOptions object.

        Raises:
            ApiError: It was refused, or nobody answered.
        """
        return self._request("DELETE", path, json.dumps(options))

    def _request(self, method: str, path: str, body: str | None = None) -> Answer:
        try:
            connection = self._connected()
            headers = {"Authorization": f"Bearer {self._read(TOKEN)}", "Accept": "application/json"}
            connection.request(method, path, body, headers | {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._forget()
            raise ApiError(0, f"{method} {path}: {type(error).__name__}: {error}") from error
        if response.status >= http.client.BAD_REQUEST:
            said = content.decode(errors="replace")[:300]
            raise ApiError(response.status, f"{method} {path}: {response.status}: {said}")
        return Answer(_object(content, f"{method} {path}"), _time(response.headers.get("Date")))

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            context = ssl.create_default_context(cafile=str(self._account / AUTHORITY))
            # Strict since Python 3.13, and then a certificate must say which key signed it. Those of many clusters do
            # not; chain and name are checked all the same.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=context
            )
            connection.connect()
            self._connection = connection
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, name: str) -> str:
        return (self._account / name).read_text().strip()


def _object(content: bytes, what: str) -> Mapping[str, Any]:
    try:
        value: object = json.loads(content)
    except ValueError as error:
        raise ApiError(0, f"{what}: the answer is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(0, f"{what}: the answer is no object")
    return cast("Mapping[str, Any]", value)


def _time(header: str | None) -> datetime:
    """Return the time of an answer; the own clock's where the server did not say."""
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)
