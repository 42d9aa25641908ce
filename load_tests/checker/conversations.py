"""Messages sent to a workflow, and what it made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from load_tests.checker.observations import Observations, Run
from load_tests.checker.tokens import handled
from load_tests.models import Operation, OperationKind, Outcome

_MESSAGES = frozenset({OperationKind.SIGNAL, OperationKind.UPDATE})


@dataclass(frozen=True)
class Conversation:
    """All messages of one workflow."""

    workflow_id: str
    sent: tuple[Operation, ...]
    handled: tuple[str, ...]
    """Tokens in the order in which the workflow handled them, by its result; of one that returns no tokens, in
    the order of its history."""
    recorded: tuple[str, ...]
    """Tokens in the order of its history."""


def conversations(observations: Observations, operations: Sequence[Operation]) -> list[Conversation]:
    """Return what was said to each workflow that could be read to its end; to one that is gone, in vain."""
    sent: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        if operation.kind in _MESSAGES and operation.outcome is not Outcome.NOT_SENT:
            sent.setdefault((operation.namespace, operation.workflow_id), []).append(operation)
    found: list[Conversation] = []
    for (namespace, workflow_id), messages in sent.items():
        firsts = [run for run in observations.runs_of(namespace, workflow_id) if run.is_first]
        lines = [observations.line_of(first) for first in firsts]
        is_known = not observations.is_unread(namespace, workflow_id)
        if is_known and all(line[-1].is_last for line in lines):
            found.append(_conversation(workflow_id, messages, lines))
    return found


def _conversation(
    workflow_id: str, sent: Sequence[Operation], lines: Sequence[Sequence[Run]]
) -> Conversation:
    recorded: list[str] = []
    seen: list[str] = []
    for line in lines:
        tokens = [message.token for run in line for message in run.messages]
        recorded += tokens
        listed = handled(line[-1].result)
        seen += tokens if listed is None else listed
    return Conversation(workflow_id, tuple(sent), tuple(seen), tuple(recorded))
