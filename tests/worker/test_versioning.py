"""Worker versioning: a running deployment moves to the new build, and only the release gets work."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError

from tests.worker.support import Bench, MeddledDriver, WorkerProcess, eventually
from worker.models.deployment import ApprovalPolicy, Decision, Phase
from worker.serving.versioning import promote
from worker.simulator.client import SimulatorClient
from worker.starting.starter import Started, result_of
from worker.tenancy import Tenant, TenantsFile
from worker.workflows.router_deployment import RouterDeployment

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


@pytest.fixture
def deployment_name() -> str:
    return f"workers-{secrets.token_hex(4)}"


async def current_build(client: Client, deployment_name: str) -> str:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment_name)
    try:
        described = await client.workflow_service.describe_worker_deployment(request)
    except RPCError:
        return ""
    return described.worker_deployment_info.routing_config.current_deployment_version.build_id


async def builds_of(client: Client, started: Started) -> list[str]:
    """Return which builds did the deployment's workflow tasks, each once, in order."""
    history = await client.get_workflow_handle(started.handle.id, run_id=started.run_id).fetch_history()
    completed = [event.workflow_task_completed_event_attributes for event in history.events]
    builds = [task.deployment_version.build_id for task in completed if task.HasField("deployment_version")]
    return list(dict.fromkeys(builds))


async def test_a_running_deployment_ends_on_the_next_release(
    bench: Bench,
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenants: TenantsFile,
    tmp_path: Path,
    deployment_name: str,
) -> None:
    client, path = bench.client, tmp_path / "tenants.json"

    def start(build: str) -> WorkerProcess:
        environment = {"ROUTERFLEET_DEPLOYMENT_NAME": deployment_name, "ROUTERFLEET_BUILD_ID": build}
        return start_worker(routers_url, **environment)

    async def release(build: str) -> None:
        path.write_text(replace(tenants, release=build).to_json())

        async def is_current() -> bool:
            return await current_build(client, deployment_name) == build

        await eventually(is_current)

    path.write_text(replace(tenants, release="a.1").to_json())
    old = start("a.1")
    await old.ready(session)
    await release("a.1")
    moving = await bench.start(await bench.router(), approval=ApprovalPolicy())

    async def is_waiting() -> bool:
        progress = await moving.handle.query(RouterDeployment.progress)
        return progress.phase is Phase.AWAITING_APPROVAL

    await eventually(is_waiting)

    # The new build polls every queue and is not the release: all work still goes to the old one.
    new = start("b.2")
    await new.ready(session)
    staying = [await bench.start(await bench.router()) for _ in range(4)]
    for each in staying:
        assert (await result_of(each.handle)).phase is Phase.DEPLOYED
        assert await builds_of(client, each) == ["a.1"]
    assert await current_build(client, deployment_name) == "a.1"

    await release("b.2")
    old.process.terminate()
    assert await old.exit_code() == 0
    await moving.handle.execute_update(RouterDeployment.decide, Decision("somebody", is_approved=True))
    assert (await result_of(moving.handle)).phase is Phase.DEPLOYED
    assert await builds_of(client, moving) == ["a.1", "b.2"]


async def test_promotion_may_be_repeated_raced_and_refused(
    bench: Bench,
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    deployment_name: str,
) -> None:
    client, version = bench.client, WorkerDeploymentVersion(deployment_name, "a")
    assert not await promote(client, ["production"], version)  # nobody has polled yet
    worker = start_worker(routers_url, ROUTERFLEET_DEPLOYMENT_NAME=deployment_name, ROUTERFLEET_BUILD_ID="a")
    await worker.ready(session)

    async def is_promoted() -> bool:
        return any(await asyncio.gather(*(promote(client, ["production"], version) for _ in range(5))))

    await eventually(is_promoted)
    assert await promote(client, ["production"], version)
    assert not await promote(client, ["production", "nowhere"], version)
    assert not await promote(client, ["production"], replace(version, build_id="never-started"))
    assert await current_build(client, deployment_name) == "a"
