"""Every way by which a payload leaves a process carries a tenant, and so leaves encrypted."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio import workflow
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.worker.conftest import NAMESPACE
from tests.worker.everything import SECRET, Child, Echo, Everything, Hesitant, Letter, fail, fail_once
from tests.worker.support import eventually
from worker.client import connect
from worker.encryption.codec import is_encrypted
from worker.encryption.command import main
from worker.encryption.converter import NEWEST_VERSIONS
from worker.errors import PayloadUnreadableError
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    assert main(["new-key", str(path)]) == 0
    return path


@pytest.fixture
async def client(temporal_address: str, keyring: Path) -> Client:
    environment = {"TEMPORAL_ADDRESS": temporal_address, "ROUTERFLEET_KEYRING_FILE": str(keyring)}
    return await connect(environment, namespace=NAMESPACE)


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    """A queue that somebody serves who has the keys."""
    name = f"q-{secrets.token_hex(4)}"
    async with Worker(
        client,
        task_queue=name,
        workflows=[Everything, Child, Hesitant, Echo],
        activities=[fail_once, fail],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield name


def payloads_in(message: Message) -> Iterator[Payload]:
    """Yield every payload of a message but the search attributes, which the server has to read."""
    if isinstance(message, Payload):
        yield message
    elif not isinstance(message, SearchAttributes):
        for descriptor, value in message.ListFields():
            if descriptor.type != descriptor.TYPE_MESSAGE:
                continue
            values: Any = [value]
            if descriptor.is_repeated:
                values = value.values() if hasattr(value, "values") else value
            for item in values:
                if isinstance(item, Message):
                    yield from payloads_in(item)


async def check_history(handle: WorkflowHandle[Any, Any], tenant: str) -> int:
    """Check that a history holds nothing but the tenant's ciphertext; return of how many payloads."""
    count = 0
    async for event in handle.fetch_history_events():
        assert SECRET.encode() not in event.SerializeToString(), event
        if event.HasField("marker_recorded_event_attributes"):
            # What the SDK's core notes of a local activity for itself: number, type and times.
            event.marker_recorded_event_attributes.details.pop("data", None)
        for payload in payloads_in(event):
            assert is_encrypted(payload), event
            assert payload.metadata["encryption-key-id"].startswith(f"{tenant}/".encode())
            count += 1
    return count


async def test_every_path_is_encrypted_and_comes_back(client: Client, queue: str) -> None:
    name = f"t{secrets.token_hex(4)}"
    letter = Letter(SECRET)
    handle = await client.start_workflow(
        Everything.run,
        letter,
        id=f"rollout-{name}-everything",
        task_queue=queue,
        memo={"started": SECRET},
        static_summary=SECRET,
        static_details=SECRET,
        start_signal="tell",
        start_signal_args=[letter],
    )
    first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    assert await handle.query(Everything.ask, letter) == letter
    # The SDK does not decode a failed query's message; encrypted is what matters here.
    with pytest.raises(WorkflowQueryFailedError, match=r"^Encoded failure$"):
        await handle.query(Everything.ask, Letter(SECRET, 0))
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(Everything.change, Letter(SECRET, 0))
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.message == SECRET
    assert await handle.execute_update(Everything.change, letter) == letter

    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()

    ended = caught.value.cause
    assert isinstance(ended, ApplicationError)
    assert (ended.type, ended.message, ended.details[0]["text"]) == ("Ended", SECRET, SECRET)
    last = await client.get_workflow_handle(handle.id).describe()
    assert await last.memo() == {"continued": SECRET, "upserted": SECRET}
    assert (await (await first.describe()).static_summary()) == SECRET
    child = client.get_workflow_handle(f"deploy-{name}-everything")
    assert await check_history(first, name) >= 20
    assert await check_history(client.get_workflow_handle(handle.id, run_id=last.run_id), name) >= 20
    assert await check_history(child, name) >= 6
    assert SECRET.encode() not in last.raw_description.SerializeToString()


async def test_pending_step_shows_nothing(client: Client, queue: str) -> None:
    """What `describe` shows of a step that waits to be tried again: heartbeat and last failure."""
    name = f"t{secrets.token_hex(4)}"
    handle = await client.start_workflow(
        Hesitant.run, Letter(SECRET), id=f"deploy-{name}-pending", task_queue=queue
    )
    described: list[Message] = []

    async def has_failed_once() -> bool:
        description = (await handle.describe()).raw_description
        described[:] = [description]
        return any(step.HasField("last_failure") for step in description.pending_activities)

    await eventually(has_failed_once)
    await handle.terminate()
    assert SECRET.encode() not in described[0].SerializeToString()
    assert [is_encrypted(payload) for payload in payloads_in(described[0])] == [True] * 3


async def test_schedule_is_encrypted_and_survives_a_change(client: Client, queue: str) -> None:
    name = f"t{secrets.token_hex(4)}"
    action = ScheduleActionStartWorkflow(
        Echo.run, Letter(SECRET), id=f"window-{name}-nightly", task_queue=queue, memo={"note": SECRET}
    )
    schedule = await client.create_schedule(f"window-{name}-nightly", Schedule(action, ScheduleSpec()))
    try:

        def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
            given.description.schedule.state.note = "changed"
            return ScheduleUpdate(given.description.schedule)

        await schedule.update(change)
        await schedule.trigger()

        async def has_run() -> bool:
            return bool((await schedule.describe()).info.recent_actions)

        await eventually(has_run)
        described = (await schedule.describe()).raw_description
        assert SECRET.encode() not in described.SerializeToString()
        started = (await schedule.describe()).info.recent_actions[0].action
        assert isinstance(started, ScheduleActionExecutionStartWorkflow)
        handle = client.get_workflow_handle(started.workflow_id, result_type=Letter)
        assert await handle.result() == Letter(SECRET)
        assert await check_history(handle, name) == 3
    finally:
        await schedule.delete()


async def test_payload_without_tenant_is_not_sent(client: Client, queue: str) -> None:
    for workflow_id in ("everything", "deploy-chogar", f"other-{SECRET}"):
        with pytest.raises(ApplicationError) as caught:
            await client.start_workflow(Echo.run, Letter(SECRET), id=workflow_id, task_queue=queue)
        assert caught.value.type == "TenantUnknown"
        assert caught.value.message.startswith(
            f"workflow {workflow_id}: a payload without a tenant is not sent"
        )

    action = ScheduleActionStartWorkflow(Echo.run, Letter(SECRET), id="window-chogar-x", task_queue=queue)
    with pytest.raises(
        ApplicationError, match=r"^TenantUnknown: no workflow: a payload without a tenant is not sent"
    ):
        await client.create_schedule("x", Schedule(action, ScheduleSpec()), memo={"note": SECRET})


async def test_payload_of_another_tenant_is_not_decrypted(client: Client, queue: str) -> None:
    """Whoever can copy ciphertext into a workflow of his own must not have a worker read it to him."""
    stolen = await client.start_workflow(Echo.run, Letter(SECRET), id="deploy-amovil-r1", task_queue=queue)
    assert await stolen.result() == Letter(SECRET)
    event = await anext(stolen.fetch_history_events())
    payload = event.workflow_execution_started_event_attributes.input.payloads[0]
    theirs, mine = (
        client.data_converter.with_context(WorkflowSerializationContext(NAMESPACE, f"deploy-{name}-r1"))
        for name in ("amovil", "afijo")
    )

    assert await theirs.decode([payload], [Letter]) == [Letter(SECRET)]
    with pytest.raises(PayloadUnreadableError, match="it is another tenant's, 'amovil'"):
        await mine.decode([payload], [Letter])
    # What could not be read may be passed on, and is what it was.
    assert mine.payload_codec is not None
    marked = await mine.payload_codec.decode([payload])
    assert marked != [payload]
    assert await mine.payload_codec.encode(marked) == [payload]


def test_every_workflow_input_is_known_to_the_converter() -> None:
    inputs = [
        workflow._Definition.must_from_class(kind).arg_types[0].__name__  # type: ignore[reportOptionalSubscript]
        for kind in (RouterDeployment, FleetRollout)
    ]

    assert sorted(NEWEST_VERSIONS) == sorted(inputs)
