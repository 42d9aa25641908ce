"""A signal or an update is handled once at most, and one that was refused or never sent not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from load_tests.checker.conversations import Conversation, conversations
from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation, Outcome

NAME = "repeated messages"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Count how often every token was handled."""
    found = conversations(observations, operations)
    problems = [problem for conversation in found for problem in _problems(conversation)]
    return Judgement.of(NAME, "handled messages", sum(len(one.handled) for one in found), problems)


def _problems(conversation: Conversation) -> Iterable[tuple[str, str]]:
    effective = {Outcome.OK, Outcome.UNKNOWN}
    sent = {operation.key for operation in conversation.sent if operation.outcome in effective}
    for token, count in Counter(conversation.handled).items():
        allowed = 1 if token in sent else 0
        if count > allowed:
            subject = f"message {token} of {conversation.workflow_id}"
            yield subject, f"was handled {count} times, should be at most {allowed}"
