"""Messages of one sender are handled in the order in which they were sent.

Only a message that was acknowledged before the next was sent has an order: of two under way at a time, and of
one whose outcome is unknown, either may come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.conversations import Conversation, conversations
from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.checker.tokens import sender_of
from load_tests.models import Operation, Outcome

NAME = "reordered messages"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look at every handled message for one that was sent after its acknowledgement and handled before it."""
    found = conversations(observations, operations)
    problems = [problem for conversation in found for problem in _problems(conversation)]
    return Judgement.of(NAME, "handled messages", sum(len(one.handled) for one in found), problems)


def _problems(conversation: Conversation) -> Iterable[tuple[str, str]]:
    by_token = {operation.key: operation for operation in conversation.sent}
    latest: dict[str, Operation] = {}
    for token in conversation.handled:
        operation = by_token.get(token)
        if operation is None or operation.sent is None:
            continue
        sender = sender_of(token)
        before = latest.get(sender)
        if before is not None and _is_ordered(operation, before):
            subject = f"message {token} of {conversation.workflow_id}"
            yield subject, f"was acknowledged before {before.key} was sent, and was handled after it"
        if before is None or before.sent is None or operation.sent > before.sent:
            latest[sender] = operation


def _is_ordered(first: Operation, second: Operation) -> bool:
    """Return whether the first was acknowledged before the second was sent."""
    if first.outcome is not Outcome.OK or first.ended is None or second.sent is None:
        return False
    return first.ended <= second.sent
