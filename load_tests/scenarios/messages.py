"""Signals and updates to long-lived workflows, whose lists of what they saw are held against what was sent.

Every message is sent when it is due, also while the one before has no answer yet: the order is binding only for
those that had been acknowledged before.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import WorkflowHandle
from temporalio.converter import WorkflowSerializationContext

from load_tests.clients import USER, Patience
from load_tests.errors import LoadTestError
from load_tests.models import OperationKind
from load_tests.scenarios.session import Due, Session, all_at_most
from load_tests.workload.conversation import Conversation, ConversationInput, ConversationOutput, Message

_FINISH = "finish"
_TOKENS_MAX = 10_000
"""Of one conversation; see `Conversation`."""


@dataclass
class _Talk:
    """One conversation and how many messages it was sent."""

    tenant: str
    workflow_id: str
    run_id: str = ""
    sent: int = 0


class Messages:
    """See module."""

    name: ClassVar[str] = "messages"
    kind: ClassVar[OperationKind] = OperationKind.SIGNAL
    defaults: ClassVar[Mapping[str, float]] = {"senders": 20, "updates": 0.5}
    """Conversations of each tenant and generator process; which part of the messages are updates, 0 to 1."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._senders = max(1, int(options["senders"]))
        self._updates = options["updates"]
        self._talks: dict[str, list[_Talk]] = {}
        self._turns: Counter[str] = Counter()
        self._sent = 0

    async def prepare(self, due: Sequence[Due]) -> None:
        """Start every conversation.

        Raises:
            LoadTestError: When one cannot be started, or would get more messages than it can hold.
        """
        for tenant, count in Counter(item.tenant for item in due).items():
            if count / self._senders > _TOKENS_MAX:
                raise LoadTestError(
                    f"--set: senders={self._senders} must be at least {-(-count // _TOKENS_MAX)}:"
                    f" {count} messages of {tenant}, and a conversation holds {_TOKENS_MAX}"
                )
            numbers = (
                number * self._session.processes + self._session.process for number in range(self._senders)
            )
            self._talks[tenant] = [
                _Talk(tenant, self._session.workflow_id(tenant, "talk", number)) for number in numbers
            ]
        await all_at_most(10, [partial(self._start, talk) for talk in self._all()])

    async def perform(self, due: Due) -> None:
        """Send the next message of one of the tenant's conversations."""
        talks = self._talks[due.tenant]
        talk = talks[self._turns[due.tenant] % len(talks)]
        self._turns[due.tenant] += 1
        talk.sent += 1
        self._sent += 1
        # Evenly mixed, and each conversation gets both kinds.
        is_update = int(self._sent * self._updates) > int((self._sent - 1) * self._updates)
        await (self._update if is_update else self._signal)(talk, str(talk.sent), due)

    async def finish(self) -> None:
        """End every conversation and wait for its list."""
        await all_at_most(20, [partial(self._end, talk) for talk in self._all()])

    def _all(self) -> list[_Talk]:
        return [talk for talks in self._talks.values() for talk in talks]

    async def _start(self, talk: _Talk) -> None:
        run_id = await self._session.start(
            Conversation.__name__, talk.tenant, talk.workflow_id, ConversationInput(talk.workflow_id)
        )
        if run_id is None:
            raise LoadTestError(f"{talk.workflow_id}: could not be started; see the run's operations")
        talk.run_id = run_id

    def _handle(self, talk: _Talk) -> WorkflowHandle[Conversation, ConversationOutput]:
        client = self._session.client(talk.tenant)
        return client.get_workflow_handle_for(Conversation.run, talk.workflow_id, run_id=talk.run_id)

    async def _update(self, talk: _Talk, token: str, due: Due) -> None:
        handle = self._handle(talk)

        async def send(patience: Patience) -> int:
            # Under one id, so that the server knows a repeated call.
            heard = await handle.execute_update(  # pyright: ignore[reportUnknownMemberType] - one overload of the SDK is
                Conversation.ask, Message(token), id=f"update-{token}", rpc_timeout=patience.call_timeout
            )
            return heard.position

        await self._session.attempt(
            OperationKind.UPDATE, talk.tenant, talk.workflow_id, token, send, due=due,
            run_id_of=lambda _: talk.run_id,
        )  # fmt: skip

    async def _signal(self, talk: _Talk, token: str, due: Due) -> None:
        send = await self._signal_call(talk, "tell", Message(token))
        await self._session.attempt(
            OperationKind.SIGNAL, talk.tenant, talk.workflow_id, token, send, due=due,
            run_id_of=lambda _: talk.run_id,
        )  # fmt: skip

    async def _signal_call(self, talk: _Talk, name: str, argument: Message | None):  # noqa: ANN202 - a `Send`
        """Return a call that signals under one request id: the SDK's own would draw one for each call."""
        client = self._session.client(talk.tenant)
        context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=talk.workflow_id)
        converter = client.data_converter.with_context(context)
        payloads = await converter.encode([argument]) if argument else []
        request = SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=talk.workflow_id, run_id=talk.run_id),
            signal_name=name,
            input=Payloads(payloads=payloads),
            identity=client.identity,
            request_id=str(uuid.uuid4()),
        )

        async def send(patience: Patience) -> str:
            await client.workflow_service.signal_workflow_execution(
                request, retry=patience.is_repeating, timeout=patience.call_timeout
            )
            return talk.run_id

        return send

    async def _end(self, talk: _Talk) -> None:
        send = await self._signal_call(talk, _FINISH, None)
        # No record: it carries no token, and what it does shows in the result.
        await send(USER)
        await self._session.result(talk.tenant, talk.workflow_id, talk.run_id)
