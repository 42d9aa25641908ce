"""What a scenario asks through: every operation is timed, recorded before and after, and counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle

from load_tests.clients import USER, Answer, Clients, Patience, Send, ask
from load_tests.clock import Clock
from load_tests.histograms import Latencies
from load_tests.models import ClientKind, Operation, OperationKind, Outcome
from load_tests.records import OperationWriter
from load_tests.stack import Target
from load_tests.workload.names import QUEUE
from worker.client import in_namespace
from worker.starting.starter import start_request
from worker.tenancy import Tenant, Urgency, deployment_workflow_id

_T = TypeVar("_T")


@dataclass(frozen=True)
class Due:
    """One operation that is due, with whatever derives from it."""

    number: int
    """Unique within the run."""
    offset: float
    """Seconds from the run's begin."""
    tenant: str
    zone: str | None = None
    """Of a probe: through whose load balancer. None: a user's."""


@dataclass
class Counts:
    """What a generator process has seen so far."""

    by_outcome: Counter[tuple[ClientKind, Outcome]] = field(
        default_factory=Counter[tuple[ClientKind, Outcome]]
    )
    schedule_errors: Latencies = field(default_factory=Latencies)
    """From when each operation was due to when it was sent: how well this process kept its schedule."""
    under_way: int = 0


@dataclass
class Session:
    """The connections, the clock and the records of one generator process.

    Attributes:
        run: Name of the run: in every workflow id, so that no two runs meet.
        process: Number of this process, from 0.
        processes: How many there are.
        seed: The run's; a scenario draws from it and the operation's number.
        seconds: How long operations are sent.
        result_seconds: How long a workflow's end is waited for after the last operation was sent.
    """

    target: Target
    clients: Clients
    clock: Clock
    writer: OperationWriter
    run: str
    process: int
    processes: int
    seed: int
    seconds: float
    result_seconds: float
    begin: float = 0.0
    """When the first operation can be due; known once the run has begun."""
    counts: Counts = field(default_factory=Counts)
    _next: int = 0
    _clients: dict[tuple[str | None, str], Client] = field(
        default_factory=dict[tuple[str | None, str], Client]
    )

    def number(self) -> int:
        """Return a number that no other operation of the run has."""
        self._next += 1
        return self._next * self.processes + self.process

    def tenant(self, name: str) -> Tenant:
        """Return a tenant's record."""
        return self.target.tenants.tenant(name)

    def client(self, tenant: str, zone: str | None = None) -> Client:
        """Return the user's client in the tenant's namespace, or that zone's probe."""
        namespace = self.target.namespace_of(tenant)
        key = zone, namespace
        if key not in self._clients:
            connection = self.clients.user if zone is None else self.clients.probes[zone]
            self._clients[key] = in_namespace(connection, namespace)
        return self._clients[key]

    async def follow(self, addresses: Mapping[str, str]) -> None:
        """Have probes ask where each zone's load balancer now is."""
        moved = await self.clients.follow(self.target, addresses)
        for key in [key for key in self._clients if key[0] in moved]:
            del self._clients[key]

    def workflow_id(self, tenant: str, kind: str, number: int) -> str:
        """Return an id of this run's own; of a tenant's form, by which payloads are encrypted with its key."""
        return deployment_workflow_id(tenant, f"{kind}-{self.run}-{number}")

    async def attempt(
        self,
        kind: OperationKind,
        tenant: str,
        workflow_id: str,
        key: str,
        send: Send[_T],
        *,
        due: Due | None = None,
        intended: float | None = None,
        patience: Patience = USER,
        expected: str = "",
        run_id_of: Callable[[_T], str] = lambda _: "",
    ) -> Answer[_T]:
        """Ask, and record what came of it.

        Args:
            kind: What is asked for.
            tenant: Whose.
            workflow_id: Of the workflow it is about.
            key: See `Operation.key`.
            send: Makes one call.
            due: The arrival that it is; it counts towards how well the schedule was kept. None: it follows from
                another, or prepares the run.
            intended: From when it is timed. Default: from when it was due, else from now.
            patience: As whose client.
            expected: See `Operation.expected`.
            run_id_of: What run the answer names.
        """
        sent = self.clock.now()
        if due is not None:
            intended = self.begin + due.offset
            self.counts.schedule_errors.record(max(0.0, sent - intended))
        operation = Operation(
            number=self.number(),
            kind=kind,
            client=patience.kind,
            tenant=tenant,
            zone=(due.zone or "") if due else "",
            namespace=self.target.namespace_of(tenant),
            workflow_id=workflow_id,
            key=key,
            intended=sent if intended is None else intended,
            sent=sent,
            expected=expected,
        )
        self.writer.write(operation)
        answer = await ask(send, patience)
        ended = replace(
            operation,
            ended=self.clock.now(),
            outcome=answer.outcome,
            run_id=run_id_of(answer.value) if answer.value is not None else "",
            error=answer.error,
            attempts=answer.attempts,
        )
        self.writer.write(ended)
        self.counts.by_outcome[patience.kind, answer.outcome] += 1
        return answer

    def not_sent(self, kind: OperationKind, due: Due) -> None:
        """Record an operation that was due while as many were under way as there may be."""
        client = ClientKind.USER if due.zone is None else ClientKind.PROBE
        operation = Operation(
            number=self.number(),
            kind=kind,
            client=client,
            tenant=due.tenant,
            zone=due.zone or "",
            namespace=self.target.namespace_of(due.tenant),
            workflow_id="",
            key="",
            intended=self.begin + due.offset,
            outcome=Outcome.NOT_SENT,
        )
        self.writer.write(operation)
        self.counts.by_outcome[client, Outcome.NOT_SENT] += 1

    async def start(
        self,
        workflow_type: str,
        tenant: str,
        workflow_id: str,
        request: object,
        *,
        due: Due | None = None,
        patience: Patience = USER,
        expected: str = "",
        task_queue: str = QUEUE,
        urgency: Urgency | None = None,
    ) -> str | None:
        """Start a workflow under one request id, however often it takes; return its run id once acknowledged.

        Args:
            workflow_type: What to start.
            tenant: Whose.
            workflow_id: Under which id.
            request: The workflow's input.
            due: See `attempt`.
            patience: As whose client.
            expected: See `Operation.expected`.
            task_queue: Where it runs. Default: the load tests' own.
            urgency: Default: the tenant's.
        """
        client, record = self.client(tenant, due.zone if due else None), self.tenant(tenant)
        made = await start_request(
            client, record, workflow_type, workflow_id, request, urgency or record.urgency
        )
        made.task_queue.name = task_queue

        async def send(patience: Patience) -> str:
            answer = await client.workflow_service.start_workflow_execution(
                made, retry=patience.is_repeating, timeout=patience.call_timeout
            )
            return answer.run_id

        answer = await self.attempt(
            OperationKind.START, tenant, workflow_id, made.request_id, send,
            due=due, patience=patience, expected=expected, run_id_of=str,
        )  # fmt: skip
        return answer.value

    async def result(
        self, tenant: str, workflow_id: str, run_id: str, *, intended: float | None = None
    ) -> Answer[Any]:
        """Wait for a workflow's end, timed from when its start was due, for as long as the run waits at all."""
        client = self.client(tenant)
        handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=run_id)
        remaining = self.begin + self.seconds + self.result_seconds - self.clock.now()
        patience = replace(USER, deadline_seconds=max(remaining, 1.0))

        async def send(_: Patience) -> Any:  # noqa: ANN401 - what it returns is the checker's affair
            # An answer that is None would look like none at all.
            return [await handle.result()]

        return await self.attempt(
            OperationKind.RESULT, tenant, workflow_id, run_id, send,
            intended=intended, patience=patience, run_id_of=lambda _: run_id,
        )  # fmt: skip

    async def start_and_wait(
        self,
        workflow_type: str,
        workflow_id: str,
        request: object,
        due: Due,
        *,
        expected: str = "",
        task_queue: str = QUEUE,
        urgency: Urgency | None = None,
    ) -> None:
        """Start a workflow when it is due, and wait for its end: what most scenarios are."""
        run_id = await self.start(
            workflow_type, due.tenant, workflow_id, request,
            due=due, expected=expected, task_queue=task_queue, urgency=urgency,
        )  # fmt: skip
        if run_id:
            await self.result(due.tenant, workflow_id, run_id, intended=self.begin + due.offset)


async def all_at_most(limit: int, jobs: Sequence[Callable[[], Any]]) -> None:
    """Run all jobs, so many at a time."""
    places = asyncio.Semaphore(limit)

    async def one(job: Callable[[], Any]) -> None:
        async with places:
            await job()

    await asyncio.gather(*(one(job) for job in jobs))
