"""The balancer's gRPC health check: its bytes decoded again, and a real HAProxy against a real gRPC server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from infra.rendering.grpc_check import PREFACE, SERVING, health_check_request
from infra.rendering.haproxy import render_haproxy
from infra.services import BALANCER_PORT, BALANCER_STATUS_PORT, FRONTEND


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Split HTTP/2 bytes into (type, flags, stream, payload)."""
    found: list[tuple[int, int, int, bytes]] = []
    while data:
        length = int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + length]))
        data = data[9 + length :]
    return found


def literals(block: bytes) -> dict[str, str]:
    """Decode header fields that are literals without indexing."""
    fields: dict[str, str] = {}
    while block:
        assert block[0] == 0
        name, block = block[2 : 2 + block[1]], block[2 + block[1] :]
        value, block = block[1 : 1 + block[0]], block[1 + block[0] :]
        fields[name.decode()] = value.decode()
    return fields


def test_request_is_one_grpc_call_in_http2_frames() -> None:
    data = health_check_request("some.Service", authority="temporal")

    assert data.startswith(PREFACE)
    settings, acknowledgement, headers, message = frames(data[len(PREFACE) :])
    assert settings == (0x4, 0, 0, b"")
    assert acknowledgement == (0x4, 0x1, 0, b"")
    assert headers[:3] == (0x1, 0x4, 1)
    assert literals(headers[3]) == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": "temporal",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    assert message == (0x0, 0x1, 1, b"\x00\x00\x00\x00\x0e\x0a\x0csome.Service")


def test_request_refuses_a_name_that_its_encoding_cannot_hold() -> None:
    with pytest.raises(ValueError, match="too long for a one-byte length: at most 126 bytes"):
        health_check_request("s" * 127, authority="temporal")


class Health:
    """A gRPC server that answers health checks for one service as told."""

    def __init__(self, service: str) -> None:
        self.answer = SERVING[5:]
        self._service = service
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        method = grpc.unary_unary_rpc_method_handler(self._check)
        handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _check(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if request != b"\x0a" + bytes([len(self._service)]) + self._service.encode():
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self.answer

    def stop(self) -> None:
        self._server.stop(grace=None).wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def health() -> Iterator[Health]:
    server = Health(FRONTEND.health_service)
    yield server
    server.stop()


@pytest.fixture
def status_url(health: Health, tmp_path: Path) -> Iterator[str]:
    """Run HAProxy with the rendered configuration, on loopback ports and without a resolver."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("haproxy is not installed: apt-get install haproxy")
    port, status_port = free_port(), free_port()
    text = (
        render_haproxy("127.0.0.1", replicas=3)
        .replace(f"bind :{BALANCER_PORT}", f"bind 127.0.0.1:{port}")
        .replace(f"bind :{BALANCER_STATUS_PORT}", f"bind 127.0.0.1:{status_port}")
        .replace(f":{FRONTEND.grpc_port}\n", f":{health.port}\n")
        .replace(" init-addr none resolvers cluster resolve-prefer ipv4", "")
    )
    config = tmp_path / "haproxy.cfg"
    config.write_text(text)
    with subprocess.Popen([haproxy, "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        yield f"http://127.0.0.1:{status_port}/readyz"
        process.kill()


def seconds_until(url: str, status: int, limit_seconds: float = 15) -> float:
    """Return how long it took until the URL answered with a status."""
    started = time.monotonic()
    while time.monotonic() - started < limit_seconds:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  # a loopback address
                found = response.status
        except urllib.error.HTTPError as error:
            found = error.code
        except OSError:
            found = 0
        if found == status:
            return time.monotonic() - started
        time.sleep(0.05)
    pytest.fail(f"{url} never answered {status}")


def test_a_frontend_that_drains_is_left_before_it_refuses(health: Health, status_url: str) -> None:
    seconds_until(status_url, 200)

    health.answer = b"\x08\x02"

    # Two checks, a second and half a second apart, each conclusive at once.
    assert seconds_until(status_url, 503) < FRONTEND.fail_health_seconds / 2
    health.answer = SERVING[5:]
    assert seconds_until(status_url, 200) < FRONTEND.fail_health_seconds / 2


def test_a_server_of_another_service_is_never_used(health: Health, status_url: str) -> None:
    health.answer = b""

    assert seconds_until(status_url, 503) < FRONTEND.fail_health_seconds
