"""What a worker cannot read ends typed and visible, or waits for whoever can; nothing is applied by halves."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from tests.worker.conftest import NAMESPACE
from tests.worker.support import AFTER, BEFORE, Bench, MeddledDriver, WorkerProcess, eventually, failure
from worker.client import connect
from worker.encryption.command import main
from worker.encryption.keyring import Keyring
from worker.models.deployment import ApprovalPolicy, Decision, Phase
from worker.simulator.client import SimulatorClient
from worker.starting.starter import Started, result_of
from worker.tenancy import Tenant, deployment_workflow_id
from worker.workflows.router_deployment import RouterDeployment

StartWorker = Callable[..., WorkerProcess]
_APPLIED = [("apply", "apply", "applied"), ("confirm", "confirm", "applied")]


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    return new_keyring(tmp_path / "keyring.json")


def new_keyring(path: Path) -> Path:
    assert main(["new-key", str(path)]) == 0
    return path


@pytest.fixture
async def encrypted(
    temporal_address: str,
    keyring: Path,
    routers: SimulatorClient,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenant: Tenant,
) -> Bench:
    """A tenant whose requests are encrypted, and whom only processes serve."""
    environment = {"TEMPORAL_ADDRESS": temporal_address, "ROUTERFLEET_KEYRING_FILE": str(keyring)}
    client = await connect(environment, namespace=NAMESPACE)
    return Bench(client, routers, tenant, MeddledDriver(session, routers_url))


@pytest.mark.parametrize("has_keyring", [True, False])
async def test_wrong_or_missing_keyring_fails_the_deployment(
    encrypted: Bench,
    client: Client,
    start_worker: StartWorker,
    routers_url: str,
    keyring: Path,
    tmp_path: Path,
    has_keyring: bool,
) -> None:
    other = new_keyring(tmp_path / "other.json")
    start_worker(routers_url, **({"ROUTERFLEET_KEYRING_FILE": str(other)} if has_keyring else {}))
    router = await encrypted.router()
    started = await encrypted.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    key = f"{encrypted.tenant.name}/{Keyring.load(keyring).shared.current}"
    problem = (
        f"key {key} is not in the keyring"
        if has_keyring
        else "this process has no keyring (ROUTERFLEET_KEYRING_FILE)"
    )
    message = f"tenant {encrypted.tenant.name}, router {router}: payload is encrypted: {problem}"
    assert failure(caught.value) == ("PayloadUnreadable", message)
    assert await encrypted.ledger(started) == []
    assert await encrypted.running(router) == BEFORE
    # Readable for those without any key, too: it is they who have to act.
    with pytest.raises(WorkflowFailureError) as seen:
        await client.get_workflow_handle(started.handle.id, run_id=started.run_id).result()
    assert failure(seen.value) == ("PayloadUnreadable", message)


async def awaiting(bench: Bench) -> Started:
    """Start a deployment and return it once it waits for approval.

    Its workflow tasks time out after a second, so that one that failed is soon tried again.
    """
    router = await bench.router()
    handle = await bench.client.start_workflow(
        RouterDeployment.run,
        bench.request(router, approval=ApprovalPolicy()),
        id=deployment_workflow_id(bench.tenant.name, router),
        task_queue=bench.tenant.task_queue,
        task_timeout=timedelta(seconds=1),
    )
    started = Started(handle, handle.first_execution_run_id or "", is_new=True, attempts=1)

    async def is_waiting() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL

    await eventually(is_waiting)
    return started


async def test_begun_deployment_waits_for_a_worker_with_the_key(
    encrypted: Bench,
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    keyring: Path,
    tmp_path: Path,
) -> None:
    """A wrong keyring handed out to all workers must not end what runs: a router could be left half done."""
    first = start_worker(routers_url, ROUTERFLEET_KEYRING_FILE=str(keyring))
    await first.ready(session)
    started = await awaiting(encrypted)
    first.process.kill()
    first.process.wait()
    wrong = new_keyring(tmp_path / "wrong.json")
    second = start_worker(routers_url, ROUTERFLEET_KEYRING_FILE=str(wrong))
    await second.ready(session)
    await started.handle.signal("wake-up")

    async def has_failed_task() -> bool:
        events = [event.WhichOneof("attributes") async for event in started.handle.fetch_history_events()]
        return "workflow_task_failed_event_attributes" in events

    await eventually(has_failed_task, 30)
    shutil.copyfile(keyring, wrong)

    async def has_recovered() -> bool:
        return not (await started.handle.describe()).raw_description.HasField("pending_workflow_task")

    await eventually(has_recovered, 30)
    await started.handle.execute_update(RouterDeployment.decide, Decision("eve", is_approved=True))
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    assert await encrypted.ledger(started) == _APPLIED


async def test_rotation_loses_nothing(
    encrypted: Bench,
    start_worker: StartWorker,
    session: aiohttp.ClientSession,
    routers_url: str,
    keyring: Path,
) -> None:
    first = start_worker(routers_url, ROUTERFLEET_KEYRING_FILE=str(keyring))
    await first.ready(session)
    deployments = [await awaiting(encrypted) for _ in range(4)]

    assert main(["new-key", str(keyring)]) == 0
    assert main(["rotate", str(keyring)]) == 0
    old, new = Keyring.load(keyring).shared.keys
    # Half by the process that has lived through it, half by one that replays what the old key encrypted.
    await approve(deployments[:2])
    first.process.send_signal(signal.SIGTERM)
    assert await first.exit_code() == 0
    start_worker(routers_url, ROUTERFLEET_KEYRING_FILE=str(keyring))
    await approve(deployments[2:])

    for started in deployments:
        assert (await result_of(started.handle)).phase is Phase.DEPLOYED
        assert await encrypted.ledger(started) == _APPLIED
        events = [event.SerializeToString() async for event in started.handle.fetch_history_events()]
        used = [any(f"/{key}".encode() in event for event in events) for key in (old, new)]
        assert used == [True, True]


async def approve(deployments: list[Started]) -> None:
    for started in deployments:
        await started.handle.execute_update(RouterDeployment.decide, Decision("eve", is_approved=True))


@pytest.mark.parametrize(
    ("changes", "expected_type", "problem"),
    [
        (
            {"version": 99, "approval": {"on_timeout": "ask-again"}},
            "RequestTooNew",
            "request is of version 99, this worker knows up to 1",
        ),
        (
            {"attempts_max": "twice"},
            "RequestInvalid",
            "attempts_max: Expected value to be int|float, was <class 'str'>",
        ),
        ({"checks": [{"target": "192.0.2.1"}]}, "RequestInvalid", "checks: CheckSpec.__init__() missing"),
    ],
)
async def test_request_that_cannot_be_read_fails_the_deployment(
    bench: Bench, changes: dict[str, Any], expected_type: str, problem: str
) -> None:
    router = await bench.router()
    request = {
        "tenant": bench.tenant.name,
        "router": router,
        "site": "madrid",
        "change_id": "c",
        "template": "x",
    }
    handle = await bench.client.start_workflow(
        "RouterDeployment",
        {**request, **changes},
        id=deployment_workflow_id(bench.tenant.name, router),
        task_queue=bench.tenant.task_queue,
    )

    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    kind, message = failure(caught.value)
    assert kind == expected_type
    assert message.startswith(f"tenant {bench.tenant.name}, router {router}: {problem}")
    assert await bench.running(router) == BEFORE


async def test_update_that_cannot_be_read_is_refused_and_the_deployment_goes_on(bench: Bench) -> None:
    started = await awaiting(bench)

    with pytest.raises(WorkflowUpdateFailedError):
        await started.handle.execute_update("decide", {"by": 7})

    await approve([started])
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    assert await bench.running(started.handle.id.split("-", 2)[2]) == AFTER


async def test_workflow_that_is_no_tenants_is_refused_where_payloads_are_encrypted(
    encrypted: Bench, client: Client, start_worker: StartWorker, routers_url: str, keyring: Path
) -> None:
    start_worker(routers_url, ROUTERFLEET_KEYRING_FILE=str(keyring))
    workflow_id = f"by-hand-{secrets.token_hex(4)}"
    router = await encrypted.router()
    handle = await client.start_workflow(
        RouterDeployment.run,
        encrypted.request(router),
        id=workflow_id,
        task_queue=encrypted.tenant.task_queue,
    )

    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    kind, message = failure(caught.value)
    assert kind == "TenantUnknown"
    assert message.startswith(f"workflow {workflow_id}: the workflow id names no tenant")
    assert await encrypted.running(router) == BEFORE


async def test_worker_refuses_a_keyring_that_cannot_be_used(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{}")
    worker = start_worker("http://127.0.0.1:1", ROUTERFLEET_KEYRING_FILE=str(path))

    assert await worker.exit_code() == 2

    last = json.loads(worker.log.read_text().splitlines()[-1])
    assert last["message"] == f"{path}: keys: must be a JSON object"
