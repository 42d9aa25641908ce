"""A signal or an update that was acknowledged was handled: its token is in what the workflow returned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.conversations import Conversation, conversations
from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation, Outcome

NAME = "lost messages"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look for the token of every acknowledged message."""
    found = conversations(observations, operations)
    problems = [problem for conversation in found for problem in _problems(conversation)]
    return Judgement.of(
        NAME, "acknowledged messages", sum(len(_acknowledged(one)) for one in found), problems
    )


def _acknowledged(conversation: Conversation) -> list[Operation]:
    return [sent for sent in conversation.sent if sent.outcome is Outcome.OK]


def _problems(conversation: Conversation) -> Iterable[tuple[str, str]]:
    handled, recorded = set(conversation.handled), set(conversation.recorded)
    for operation in _acknowledged(conversation):
        if operation.key in handled:
            continue
        where = "is in the history" if operation.key in recorded else "is not in the history"
        subject = f"{operation.kind} {operation.key} of {operation.workflow_id}"
        yield subject, f"was acknowledged, {where} and was not handled"
