"""A client that records what it asks for, as the generator's does."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from temporalio.api.common.v1 import Payloads, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.converter import WorkflowSerializationContext

from load_tests.checker.expectations import returns, returns_including
from load_tests.checker.mutations.stage import NAMESPACE, TENANT, Stage
from load_tests.checker.mutations.workflows import QUEUE, Collector, Task
from load_tests.checker.observations import Observations, Sample
from load_tests.checker.sampler import Sampler
from load_tests.models import ClientKind, Operation, OperationKind, Outcome
from worker.models.deployment import DeploymentRequest
from worker.starting.starter import start_deployment

_LOOK_SECONDS = 0.05


def _unchanged(observations: Observations) -> Observations:
    return observations


@dataclass
class Scene:
    """One bug's own corner of the stage.

    Attributes:
        name: Of the bug; begins its workflow ids.
        stage: The system.
        lasting: For what has to run until the check is made.
        operations: What was asked for.
        samples: What a sampler saw.
        tamper: Changes what was read, for bugs that no real server can be talked into.
        end_seconds: How long the checker waits for ends: they take milliseconds, but the machine may be busy.
        visibility_seconds: How long it waits for visibility.
    """

    name: str
    stage: Stage
    lasting: AsyncExitStack
    operations: list[Operation] = field(default_factory=list[Operation])
    samples: tuple[Sample, ...] = ()
    tamper: Callable[[Observations], Observations] = _unchanged
    end_seconds: float = 45.0
    visibility_seconds: float = 45.0

    def record(self, kind: OperationKind, workflow_id: str, key: str, **values: object) -> Operation:
        """Note an acknowledged operation; `values` say what is otherwise."""
        now = time.time()
        operation = Operation(
            number=len(self.operations),
            kind=kind,
            client=ClientKind.USER,
            tenant=self.name,
            zone="",
            namespace=NAMESPACE,
            workflow_id=workflow_id,
            key=key,
            intended=now,
            sent=now,
            ended=now,
            outcome=Outcome.OK,
            attempts=1,
        )
        operation = replace(operation, **values)  # type: ignore[arg-type]
        self.operations.append(operation)
        return operation

    def amend(self, operation: Operation, **values: object) -> Operation:
        """Change a noted operation."""
        amended = replace(operation, **values)  # type: ignore[arg-type]
        self.operations[self.operations.index(operation)] = amended
        return amended

    async def send_start(self, workflow_type: str, workflow_id: str, task: Task, key: str) -> str:
        """Start a workflow without noting it; return the run id."""
        client = self.stage.client
        context = WorkflowSerializationContext(namespace=NAMESPACE, workflow_id=workflow_id)
        payloads = await client.data_converter.with_context(context).encode([task])
        request = StartWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name=workflow_type),
            task_queue=TaskQueue(name=QUEUE),
            input=Payloads(payloads=payloads),
            identity=client.identity,
            request_id=key,
            workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
        )
        return (await client.workflow_service.start_workflow_execution(request, retry=True)).run_id

    async def start(self, workflow_type: str, task: Task, expected: object = None) -> Operation:
        """Start a workflow of its own id and note it."""
        workflow_id, key = self.new_id(), str(uuid.uuid4())
        sent = time.time()
        run_id = await self.send_start(workflow_type, workflow_id, task, key)
        return self.record(
            OperationKind.START,
            workflow_id,
            key,
            intended=sent,
            sent=sent,
            run_id=run_id,
            expected="" if expected is None else returns(expected),
        )

    async def echo(self, task: Task | None = None) -> Operation:
        """Start a workflow that returns its number and ends by itself."""
        task = task or Task(7)
        return await self.start("CheckerEcho", task, {"number": task.number})

    async def signal(self, start: Operation, token: str, outcome: Outcome = Outcome.OK) -> Operation:
        """Send a signal and note it."""
        sent = time.time()
        await self._collector(start).signal(Collector.add, token)
        return self.record(
            OperationKind.SIGNAL, start.workflow_id, token, intended=sent, sent=sent, outcome=outcome
        )

    async def update(self, start: Operation, token: str) -> Operation:
        """Send an update and note it once it is completed."""
        sent = time.time()
        # The SDK's own overloads are what is unknown.
        await self._collector(start).execute_update(  # pyright: ignore[reportUnknownMemberType]
            Collector.push, token
        )
        return self.record(OperationKind.UPDATE, start.workflow_id, token, intended=sent, sent=sent)

    def _collector(self, start: Operation) -> WorkflowHandle[Collector, dict[str, list[str]]]:
        return self.stage.client.get_workflow_handle_for(Collector.run, start.workflow_id)

    async def end_of(self, start: Operation) -> None:
        """Wait until a workflow has ended, however."""
        try:
            await self.stage.client.get_workflow_handle(start.workflow_id).result()
        except WorkflowFailureError:
            return

    async def completed_activities(self, start: Operation) -> set[str]:
        """Return the types of the activities that a workflow's history says are completed."""
        history = await self.stage.client.get_workflow_handle(start.workflow_id).fetch_history()
        types = {
            event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
            for event in history.events
        }
        done = [event.activity_task_completed_event_attributes for event in history.events]
        return {types[one.scheduled_event_id] for one in done if one.scheduled_event_id}

    async def deploy(self, router: str, expected: str = "") -> Operation:
        """Deploy to a router that exists, and note it."""
        request = DeploymentRequest(
            tenant=TENANT.name,
            router=router,
            site="lab",
            change_id=self.name,
            template="hostname new\n",
            attempts_max=2,
        )
        started = await start_deployment(self.stage.client, TENANT, request)
        return self.record(
            OperationKind.START,
            started.handle.id,
            "",
            run_id=started.run_id,
            expected=expected or returns_including({"phase": "deployed"}),
        )

    async def sample(self, start: Operation) -> None:
        """Look at a workflow's history until it has ended."""
        async with Sampler({NAMESPACE: self.stage.client}, interval_seconds=0.05) as sampler:
            sampler.watch(start.namespace, start.workflow_id, start.run_id)
            await self.end_of(start)
        self.samples = sampler.samples

    async def until_listed(self, start: Operation) -> None:
        """Wait until visibility knows that a workflow has ended."""
        query = f"RunId = '{start.run_id}' AND ExecutionStatus = 'Completed'"
        while True:
            if (await self.stage.client.count_workflows(query)).count:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def router(self) -> str:
        """Create a router and return its name."""
        name = f"{self.name}-{uuid.uuid4().hex[:8]}"
        await self.stage.simulator.put_router(name, TENANT.name, running=("hostname old",))
        return name

    def new_id(self) -> str:
        """Return a workflow id of its own."""
        return f"{self.name}-{uuid.uuid4().hex[:8]}"
