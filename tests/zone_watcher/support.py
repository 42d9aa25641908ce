"""Objects of a small cluster, and what stands in for the parts of it that a test cannot have."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from zone_watcher.objects import WitnessSource

SOURCES = (
    WitnessSource("watcher", "zone-watcher", 8082),
    WitnessSource("database", "postgres-r", 5432),
    WitnessSource("balancer", "temporal-direct", 8404),
)
TOKEN = "a-token"


def endpoint_slice(service: str, *pods: tuple[str, str, str, bool]) -> dict[str, Any]:
    """Return an EndpointSlice of pods: name, address, zone, readiness. Nodes are called as their zones."""
    return {
        "metadata": {"name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": is_ready, "serving": is_ready, "terminating": False},
                "nodeName": zone.replace("zone", "node"),
                "zone": zone,
                "targetRef": {"kind": "Pod", "name": name},
            }
            for name, address, zone, is_ready in pods
        ],
    }


WATCHERS = endpoint_slice(
    "zone-watcher",
    ("zone-watcher-x", "10.0.0.2", "zone-a", True),
    ("zone-watcher-y", "10.0.1.2", "zone-b", True),
    ("zone-watcher-z", "10.0.2.2", "zone-c", False),
)
INSTANCES = endpoint_slice(
    "postgres-r",
    ("postgres-1", "10.0.0.3", "zone-a", True),
    ("postgres-2", "10.0.1.3", "zone-b", True),
    ("postgres-3", "10.0.2.3", "zone-c", False),
)
BALANCERS = endpoint_slice("temporal-direct", ("temporal-balancer-z", "10.0.2.4", "zone-c", True))
CLUSTER: dict[str, Any] = {
    "metadata": {"name": "postgres"},
    "spec": {
        "instances": 3,
        "postgresql": {
            "synchronous": {
                "method": "any",
                "number": 1,
                "dataDurability": "required",
                "failoverQuorum": True,
            }
        },
    },
    "status": {
        "currentPrimary": "postgres-3",
        "targetPrimary": "postgres-3",
        "currentPrimaryTimestamp": "2026-11-24T03:00:00.000000Z",
    },
}


@dataclass
class FakeApi:
    """An API server with five kinds of object, over real TLS; a real one takes longer to start than the tests have.

    Attributes:
        slices: EndpointSlices of the namespace.
        cluster: The CloudNativePG Cluster.
        pods: Pods of the namespace by name.
        leases: Renewal of each node's lease.
        is_failing: Whether it answers everything with 500.
        hangs_up: How many requests it will hang up on without an answer.
        deleted: Name and UID of pods deleted, in order.
        asked: Method and path of every request.
    """

    slices: list[dict[str, Any]] = field(default_factory=lambda: [WATCHERS, INSTANCES, BALANCERS])
    cluster: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(CLUSTER)))
    pods: dict[str, dict[str, Any]] = field(default_factory=lambda: {"postgres-3": primary_pod()})
    leases: dict[str, str] = field(default_factory=lambda: {f"node-{name}": "10:00:00" for name in "abc"})
    is_failing: bool = False
    hangs_up: int = 0
    deleted: list[tuple[str, str]] = field(default_factory=lambda: [])
    asked: list[str] = field(default_factory=lambda: [])

    def get(self, path: str) -> Any:
        """Return an object, None where there is none."""
        url = urllib.parse.urlsplit(path)
        match url.path.strip("/").split("/"):
            case ["apis", "discovery.k8s.io", "v1", "namespaces", "temporal", "endpointslices"]:
                (selector,) = urllib.parse.parse_qs(url.query)["labelSelector"]
                wanted = selector.removeprefix("kubernetes.io/service-name in (").removesuffix(")").split(",")
                label = "kubernetes.io/service-name"
                return {
                    "items": [item for item in self.slices if item["metadata"]["labels"][label] in wanted]
                }
            case ["apis", "postgresql.cnpg.io", "v1", "namespaces", "temporal", "clusters", "postgres"]:
                return self.cluster
            case ["apis", "coordination.k8s.io", "v1", "namespaces", "kube-node-lease", "leases", node]:
                return {"spec": {"renewTime": self.leases[node]}} if node in self.leases else None
            case ["api", "v1", "namespaces", "temporal", "pods", name]:
                return self.pods.get(name)
            case _:
                return None

    def delete(self, path: str, options: dict[str, Any]) -> int:
        """Delete a pod as the real server would, and return the HTTP status."""
        name = path.rpartition("/")[2]
        if name not in self.pods:
            return 404
        uid = self.pods[name]["metadata"]["uid"]
        if options["preconditions"]["uid"] != uid:
            return 409
        assert options["gracePeriodSeconds"] == 0
        del self.pods[name]
        self.deleted.append((name, uid))
        return 200


def primary_pod(uid: str = "uid-3", phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": "postgres-3", "uid": uid},
        "spec": {"nodeName": "node-c"},
        "status": {"phase": phase},
    }


@contextmanager
def serving(fake: FakeApi, folder: Path) -> Iterator[int]:
    """Serve the fake on loopback, with what an account's folder holds in `folder`; gives its port."""
    account(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(fake: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_GET(self) -> None:
            self._answer(200, fake.get(self.path))

        def do_DELETE(self) -> None:
            options = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(fake.delete(self.path, options), {"kind": "Status"})

        def _answer(self, status: int, body: Any) -> None:
            fake.asked.append(f"{self.command} {self.path}")
            if fake.hangs_up > 0:
                fake.hangs_up -= 1
                self.close_connection = True
                return
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status = 401
            elif fake.is_failing:
                status = 500
            elif body is None:
                status = 404
            content = json.dumps(body if status == 200 else {"kind": "Status", "message": "no"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002
            return

    return Handler


def account(folder: Path) -> None:
    """Write a token, and a certificate of our own for 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-api")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.crt").write_bytes(pem)
    (folder / "tls.crt").write_bytes(pem)
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "token").write_text(f"{TOKEN}\n")


class Place:
    """An address on loopback that answers a TCP handshake, or can be made to swallow it as a dark zone does.

    The silence is the kernel's: the queue of a listening socket is full, so it drops what asks to connect.
    """

    def __init__(self, address: str, port: int = 0) -> None:
        self._socket = socket.create_server((address, port), backlog=64)
        self.address, self.port = address, self._socket.getsockname()[1]
        self._fillers: list[socket.socket] = []

    def silence(self) -> None:
        """Answer nothing from now on."""
        self._socket.listen(0)
        # As many as the kernel lets in, and one that it does not.
        for _ in range(200):
            filler = socket.socket()
            filler.setblocking(False)
            self._fillers.append(filler)
            filler.connect_ex((self.address, self.port))

    def close(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._socket.close()
