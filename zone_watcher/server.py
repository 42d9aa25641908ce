"""What a watcher answers over HTTP: its vote to peers, its health to Kubernetes, its figures to Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Page = tuple[HTTPStatus, str]
Pages = Mapping[str, Callable[[], Page]]
"""What is answered, by path; asked anew for each request."""

_IDLE_SECONDS = 5.0
"""A client that says nothing for so long is hung up on."""


class Server:
    """An HTTP server on threads of its own."""

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        """Listen; nothing is answered before `start`.

        Args:
            address: Host and port; port 0 takes any free one.
            pages: What is answered.
        """
        self._server = ThreadingHTTPServer(address, _handler(pages))
        self._thread = Thread(target=self._server.serve_forever, name="server", daemon=True)

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:  # the base class's name
            page = pages.get(self.path)
            status, text = page() if page else (HTTPStatus.NOT_FOUND, "not found\n")
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Say nothing: every peer and probe comes each second or so."""

    return Handler
