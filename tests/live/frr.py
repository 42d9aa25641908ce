"""What the tests on real routers share: the routers, a Temporal of their own, and worker processes that can be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from lab.routers import fleet
from lab.routers.layout import Router
from lab.routers.state import State
from worker.demo.embedded import dev_server_binary, free_port
from worker.routers.frr import FrrDriver
from worker.routers.inventory import Inventory, RouterRecord

ROOT = Path(__file__).resolve().parents[2]
PROVIDER_ADDRESS = "172.31.0.2"
PREFIXES = {"198.51.100.0/24", "203.0.113.0/24"}


@dataclass(frozen=True)
class Fleet:
    """The lab's routers, by the driver and behind its back."""

    state: State
    inventory: Inventory
    driver: FrrDriver

    def record(self, name: str) -> RouterRecord:
        record = self.inventory.find(name)
        assert record is not None
        return record

    def router(self, name: str) -> Router:
        return next(router for router in self.state.wanted() if router.name == name)

    def ask(self, name: str, *commands: str) -> str:
        """Return what the router's own shell answers, not asked through the driver."""
        return fleet.ask(self.state, self.router(name), *commands)

    def session(self, name: str) -> tuple[str, int]:
        """Return the state of the router's session with the provider, and how often it was lost."""
        peers = json.loads(self.ask(name, f"show bgp neighbors {PROVIDER_ADDRESS} json"))
        peer = peers[PROVIDER_ADDRESS]
        return peer["bgpState"], peer["connectionsDropped"]

    def lock_file(self, name: str) -> Path:
        """Return the file that a request holds on the router while it is at work."""
        return self.state.folder(self.router(name)) / "home" / "fleet" / ".routerfleet" / "lock"

    def status(self) -> dict:
        return fleet.status(self.state)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


@contextmanager
def process(log: Path, command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "ROUTERFLEET_"))}
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=ROOT, env={**surroundings, **environment}, stdout=output, stderr=output
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGCONT)
        running.kill()
        running.wait()


@contextmanager
def dev_server(folder: Path) -> Iterator[str]:
    """Run Temporal's embedded dev server; yields its address."""
    port = free_port()
    command = [
        str(dev_server_binary()),
        "server",
        "start-dev",
        "--headless",
        "--ip",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    command += ["--log-level", "error"]
    command += ["--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true"]
    with process(folder / "temporal.log", command, {}):
        wait_for(lambda: _is_open(port), "the dev server listens")
        yield f"127.0.0.1:{port}"


@contextmanager
def worker(
    folder: Path, client: Client, tenants_file: Path, state: State
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process; yields when it is ready."""
    health = free_port()
    environment = {
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "ROUTERFLEET_TENANTS_FILE": str(tenants_file),
        "ROUTERFLEET_ROUTERS_URL": "http://127.0.0.1:9",  # there are no simulated routers here
        "ROUTERFLEET_INVENTORY_FILE": str(state.inventory),
        "ROUTERFLEET_CREDENTIALS_FOLDER": str(state.credentials),
        "ROUTERFLEET_HEALTH_ADDRESS": f"127.0.0.1:{health}",
        "ROUTERFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "5",
    }
    log = folder / f"worker-{health}.log"
    with process(log, [sys.executable, "-m", "worker"], environment) as running:
        wait_for(lambda: _is_ready(health), f"the worker is ready; {log}")
        yield running


def waiters(file: Path) -> int:
    """Return how many processes wait for the lock on a file (proc(5), locks)."""
    inode = file.stat().st_ino
    return sum(
        "->" in line and line.split()[-3].endswith(f":{inode}")
        for line in Path("/proc/locks").read_text().splitlines()
    )


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_ready(port: int) -> bool:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        return b" 200 " in probe.recv(64)
