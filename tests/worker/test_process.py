"""The worker process: readiness, following the tenants file, and every way of dying."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import Client

from tests.worker.support import AFTER, Bench, MeddledDriver, WorkerProcess, eventually
from worker.models.deployment import Phase
from worker.simulator.client import SimulatorClient
from worker.simulator.store import Fault
from worker.starting.starter import result_of
from worker.tenancy import Namespace, Tenant, TenantsFile

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def bench(
    client: Client,
    routers: SimulatorClient,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenant: Tenant,
) -> Bench:
    """A tenant whom only processes serve."""
    return Bench(client, routers, tenant, MeddledDriver(session, routers_url))


async def test_sigterm_lets_running_steps_end(
    bench: Bench, start_worker: StartWorker, session: aiohttp.ClientSession, routers_url: str
) -> None:
    worker = start_worker(routers_url)
    await worker.ready(session)
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.SLOW, delay_seconds=2)
    started = await bench.start(router)

    async def is_applied() -> bool:
        return await bench.running(router) == AFTER

    await eventually(is_applied)
    worker.process.send_signal(signal.SIGTERM)

    async def is_not_ready() -> bool:
        return await worker.status(session, "/readyz") == 503

    await eventually(is_not_ready, 1)
    assert await worker.status(session, "/healthz") == 200
    assert await worker.exit_code() == 0
    start_worker(routers_url)
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    # Applied at the first attempt: the step was allowed to end and to say so.
    assert await bench.ledger(started) == [
        ("apply", "apply", "applied"),
        ("confirm", "confirm", "applied"),
    ]


async def test_killed_worker_is_replaced_and_the_change_made_once(
    bench: Bench, start_worker: StartWorker, session: aiohttp.ClientSession, routers_url: str
) -> None:
    """SIGKILL between the router accepting the change and the step reporting it."""
    first = start_worker(routers_url)
    await first.ready(session)
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.SLOW, delay_seconds=60)
    started = await bench.start(router)

    async def is_applied() -> bool:
        return await bench.running(router) == AFTER

    await eventually(is_applied)
    first.process.kill()
    start_worker(routers_url)

    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    assert await bench.ledger(started) == [
        ("apply", "apply", "applied"),
        ("apply", "apply", "duplicate"),
        ("confirm", "confirm", "applied"),
    ]
    assert await bench.running(router) == AFTER


async def test_tenants_file_is_followed_while_running(
    bench: Bench,
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenants: TenantsFile,
    tmp_path: Path,
) -> None:
    path = tmp_path / "tenants.json"
    path.write_text(TenantsFile(tenants.shared_namespace, tenants.namespaces, ()).to_json())
    worker = start_worker(routers_url)
    await worker.ready(session)

    path.write_text("{ half a fi")

    async def has_complained() -> bool:
        return "keeping the tenants as they were" in worker.log.read_text()

    await eventually(has_complained)
    path.write_text(tenants.to_json())
    started = await bench.start(await bench.router())
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    assert await worker.status(session, "/readyz") == 200

    for line in worker.log.read_text().splitlines():
        assert {"time", "level", "logger", "message"} <= set(json.loads(line))


async def test_metrics_are_served(
    bench: Bench, start_worker: StartWorker, session: aiohttp.ClientSession, routers_url: str
) -> None:
    worker = start_worker(routers_url)
    await worker.ready(session)
    started = await bench.start(await bench.router())
    await result_of(started.handle)

    async with session.get(f"{worker.metrics_url}/metrics") as response:
        text = await response.text()

    queue = f'task_queue="{bench.tenant.task_queue}"'
    assert any(
        line.startswith("temporal_workflow_completed_total") and queue in line for line in text.splitlines()
    )


async def test_worker_waits_for_temporal_and_namespace(
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    tmp_path: Path,
    tenants: TenantsFile,
) -> None:
    unreachable = start_worker(routers_url, TEMPORAL_ADDRESS="127.0.0.1:1")
    values = TenantsFile("nowhere", (Namespace("nowhere"),), tenants.tenants)
    other = tmp_path / "other.json"
    other.write_text(values.to_json())
    homeless = start_worker(routers_url, ROUTERFLEET_TENANTS_FILE=str(other))

    for worker, message in (
        (unreachable, "Temporal at 127.0.0.1:1 cannot be reached: "),
        (homeless, "namespace or its search attributes do not exist yet"),
    ):

        async def has_said(worker: WorkerProcess = worker, message: str = message) -> bool:
            return message in worker.log.read_text()

        await eventually(has_said, explain=worker.log.read_text)
        assert await worker.status(session, "/readyz") == 503
        assert await worker.status(session, "/healthz") == 200
        worker.process.terminate()
        assert await worker.exit_code() == 0


def test_bad_settings_are_one_line_each() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ROUTERFLEET_")}
    result = subprocess.run(
        [sys.executable, "-m", "worker"], env=environment, capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == [
        "ROUTERFLEET_TENANTS_FILE: not set; it has no default",
        "ROUTERFLEET_ROUTERS_URL: not set; it has no default",
    ]


async def test_taken_address_is_one_line(start_worker: StartWorker, routers_url: str) -> None:
    taken = routers_url.removeprefix("http://")
    for key in ("ROUTERFLEET_HEALTH_ADDRESS", "ROUTERFLEET_METRICS_ADDRESS"):
        worker = start_worker(routers_url, **{key: taken})

        assert await worker.exit_code() == 2
        (line,) = worker.log.read_text().splitlines()
        assert json.loads(line)["message"].startswith(f"{key}: {taken} cannot be listened on: ")
