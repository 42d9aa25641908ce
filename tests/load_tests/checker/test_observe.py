"""What is read from a real server, and what is said when it cannot be read."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from load_tests.checker import Sampler, Sources, check, observe
from load_tests.checker.mutations.stage import server
from load_tests.checker.mutations.workflows import WORKFLOWS, Collector, Line, Task
from load_tests.checker.observations import Status, Target
from load_tests.checker.reading import history
from load_tests.errors import LoadTestError
from load_tests.models import Operation, OperationKind, Outcome
from tests.load_tests.checker.support import NAMESPACE, operation
from worker.bench.support.verdict import Verdict
from worker.client import connect
from worker.demo.embedded import free_port
from worker.encryption.command import main
from worker.simulator.client import SimulatorClient


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    assert main(["new-key", str(path)]) == 0
    return path


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect({"TEMPORAL_ADDRESS": temporal_address}, namespace=NAMESPACE)


@pytest.fixture
async def encrypting(temporal_address: str, keyring: Path) -> Client:
    environment = {"TEMPORAL_ADDRESS": temporal_address, "ROUTERFLEET_KEYRING_FILE": str(keyring)}
    return await connect(environment, namespace=NAMESPACE)


def serving(client: Client, queue: str) -> Worker:
    return Worker(
        client, task_queue=queue, workflows=list(WORKFLOWS), workflow_runner=UnsandboxedWorkflowRunner()
    )


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = f"q-{secrets.token_hex(4)}"
    async with serving(client, name):
        yield name


def sources(client: Client, **changes: object) -> Sources:
    short = Sources({NAMESPACE: client}, WORKFLOWS, end_seconds=5, visibility_seconds=5, read_seconds=5)
    return replace(short, **changes)  # type: ignore[arg-type]


async def started(client: Client, queue: str, number: int) -> Operation:
    workflow_id = f"w-{uuid.uuid4()}"
    handle = await client.start_workflow(Line.run, Task(number), id=workflow_id, task_queue=queue)
    assert handle.first_execution_run_id is not None
    return operation(OperationKind.START, workflow_id, run_id=handle.first_execution_run_id)


async def test_line_of_runs_is_followed_and_so_are_children(client: Client, queue: str) -> None:
    start = await started(client, queue, 2)

    observations = await observe(sources(client), [start])

    line = observations.line_of(observations.runs[start.run_id])
    assert [run.status for run in line] == [
        Status.CONTINUED_AS_NEW,
        Status.CONTINUED_AS_NEW,
        Status.COMPLETED,
    ]
    assert line[-1].result == {"number": 0}
    children = [run for run in observations.runs.values() if run.parent_id == start.workflow_id]
    assert sorted(str(run.result) for run in children) == ["{'number': 0}", "{'number': 1}", "{'number': 2}"]
    assert observations.replays == dict.fromkeys(observations.runs, "")
    assert len(observations.runs) == 6
    assert observations.unread == ()
    # Of a start without an answer only the workflow's id is known, which leads to its current run.
    unknown = replace(start, outcome=Outcome.UNKNOWN, run_id="")
    assert (await observe(sources(client), [unknown])).runs == observations.runs


async def test_history_is_read_to_its_last_page(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Collector.run, Task(3), id=f"w-{uuid.uuid4()}", task_queue=queue)
    for number in range(3):
        await handle.signal(Collector.add, str(number))
    await handle.result()
    assert handle.first_execution_run_id is not None
    target = Target(NAMESPACE, handle.id, handle.first_execution_run_id)

    events = await history(client, target, 5, page_size=2)

    assert len(events) > 4
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))


async def test_encrypted_payloads_are_read_with_the_keyring_only(encrypting: Client, client: Client) -> None:
    queue, workflow_id = f"q-{secrets.token_hex(4)}", f"deploy-chogar-{secrets.token_hex(4)}"
    async with serving(encrypting, queue):
        handle = await encrypting.start_workflow(Collector.run, Task(2), id=workflow_id, task_queue=queue)
        await handle.signal(Collector.add, "a:1")
        await handle.execute_update(Collector.push, "a:2")
        await handle.result()
    start = operation(OperationKind.START, workflow_id, run_id=handle.first_execution_run_id)

    (run,) = (await observe(sources(encrypting), [start])).runs.values()
    blind = await check(sources(client), [start])

    assert run.result == {"tokens": ["a:1", "a:2"]}
    assert [message.token for message in run.messages] == ["a:1", "a:2"]
    assert blind.verdict is Verdict.INCONCLUSIVE
    assert "has no keyring" in blind.unread[0].reason


async def test_namespace_that_is_not_there_says_nothing_about_workflows(temporal_address: str) -> None:
    elsewhere = await connect({"TEMPORAL_ADDRESS": temporal_address}, namespace="nowhere")
    start = operation(OperationKind.START, namespace="nowhere", run_id=str(uuid.uuid4()))

    report = await check(sources(elsewhere, clients={"nowhere": elsewhere}), [start])

    assert report.findings == ()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert {unread.subject for unread in report.unread} == {
        "w",
        f"w run {start.run_id}",
        "visibility of nowhere",
    }


async def test_server_that_does_not_answer_makes_the_verdict_inconclusive(tmp_path: Path) -> None:
    async with server(tmp_path / "temporal.sqlite3", free_port()) as (client, _):
        pass
    start = operation(OperationKind.START, run_id=str(uuid.uuid4()))

    async with asyncio.timeout(20):
        report = await check(sources(client, read_seconds=0.1), [start])

    assert report.findings == ()
    assert report.verdict is Verdict.INCONCLUSIVE


async def test_ledger_that_does_not_answer_makes_the_verdict_inconclusive(client: Client, queue: str) -> None:
    start = await started(client, queue, 0)
    async with aiohttp.ClientSession() as session:
        simulator = SimulatorClient(session, f"http://127.0.0.1:{free_port()}")
        report = await check(sources(client, simulator=simulator), [start])

    assert report.verdict is Verdict.INCONCLUSIVE
    assert [unread.subject for unread in report.unread] == ["ledger"]


async def test_operation_of_a_namespace_without_client_is_refused(client: Client) -> None:
    start = operation(OperationKind.START, namespace="staging")

    with pytest.raises(LoadTestError) as caught:
        await observe(sources(client), [start])

    assert str(caught.value) == ("namespace: 'staging' of an operation has no client; there are production")


async def test_workflow_that_has_not_ended_is_waited_for(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Collector.run, Task(1), id=f"w-{uuid.uuid4()}", task_queue=queue)
    start = operation(OperationKind.START, handle.id, run_id=handle.first_execution_run_id)

    checking = asyncio.create_task(check(sources(client, end_seconds=20), [start]))
    await handle.signal(Collector.add, "1")

    assert (await checking).verdict is Verdict.PASS


async def test_sampler_keeps_the_longest_history_and_makes_room_when_it_ends(
    client: Client, queue: str
) -> None:
    handle = await client.start_workflow(Collector.run, Task(1), id=f"w-{uuid.uuid4()}", task_queue=queue)
    assert handle.first_execution_run_id is not None
    sampler = Sampler({NAMESPACE: client}, limit=1)

    sampler.watch(NAMESPACE, handle.id, handle.first_execution_run_id)
    await sampler.look()
    sampler.watch(NAMESPACE, "no room", str(uuid.uuid4()))
    (early,) = sampler.samples
    await handle.signal(Collector.add, "1")
    await handle.result()
    await sampler.look()
    (late,) = sampler.samples
    sampler.watch(NAMESPACE, "room again", str(uuid.uuid4()))
    await sampler.look()

    assert late.digests[: len(early.digests)] == early.digests
    assert len(late.digests) > len(early.digests)
    assert [sample.target.workflow_id for sample in sampler.samples] == [handle.id, "room again"]


async def test_sampler_leaves_a_history_alone_in_which_nothing_happens(client: Client, queue: str) -> None:
    waiting = await client.start_workflow(Collector.run, Task(9), id=f"w-{uuid.uuid4()}", task_queue=queue)
    await waiting.execute_update(Collector.push, "1")
    assert waiting.first_execution_run_id is not None
    sampler = Sampler({NAMESPACE: client})
    sampler.watch(NAMESPACE, waiting.id, waiting.first_execution_run_id)
    looks: list[float] = []

    for _ in range(9):
        await sampler.look()
        looks.append(sampler.samples[0].taken)

    # At once, again, then every other round, then every fourth.
    assert [looks.index(taken) for taken in sorted(set(looks))] == [0, 1, 3, 7]


async def test_sampler_sees_a_history_go(client: Client) -> None:
    sampler = Sampler({NAMESPACE: client})
    sampler.watch(NAMESPACE, "w", str(uuid.uuid4()))

    await sampler.look()

    assert [sample.digests for sample in sampler.samples] == [()]


async def test_sampler_that_has_ended_wants_to_know_no_more(client: Client) -> None:
    async with Sampler({NAMESPACE: client}) as sampler:
        assert sampler.watch(NAMESPACE, "w", str(uuid.uuid4()))

    assert not sampler.watch(NAMESPACE, "w", str(uuid.uuid4()))
