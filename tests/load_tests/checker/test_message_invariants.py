"""Lost, repeated and reordered messages, by what the workflow returned and by its history."""

from __future__ import annotations

from typing import Any

import pytest

from load_tests.checker.invariants import lost_messages, reordered_messages, repeated_messages
from load_tests.checker.observations import Message, MessageKind, Run, Status, Target, Unread
from load_tests.checker.tokens import handled, sender_of, token, token_of
from load_tests.models import Operation, Outcome
from tests.load_tests.checker.support import NAMESPACE, run, seen, signal

A1, A2, B1 = signal("a:1", 1, 2), signal("a:2", 3, 4), signal("b:1", 1, 2)
UNANSWERED = signal("a:1", 1, 2, Outcome.UNKNOWN)
REFUSED = signal("a:1", 1, 2, Outcome.FAILED)
UNSENT = signal("a:1", 1, 2, Outcome.NOT_SENT)
OVERLAPPING = signal("a:2", 1.5, 3)


def returned(*tokens: str) -> Run:
    return run(result={"tokens": list(tokens)})


def recorded(*tokens: str, **changes: Any) -> Run:
    messages = tuple(Message(token, MessageKind.SIGNAL, number) for number, token in enumerate(tokens))
    return run(**{"messages": messages, **changes})


@pytest.mark.parametrize(
    ("ended", "sent", "lost", "repeated", "reordered"),
    [
        (returned("a:1", "a:2", "b:1"), [A1, A2, B1], 0, 0, 0),
        (returned("b:1", "a:1", "a:2"), [A1, A2, B1], 0, 0, 0),
        (returned("a:2"), [A1, A2], 1, 0, 0),
        (returned("a:1", "a:1", "a:2"), [A1, A2], 0, 1, 0),
        (returned("a:2", "a:1"), [A1, A2], 0, 0, 1),
        # Two under way at a time have no order.
        (returned("a:2", "a:1"), [A1, OVERLAPPING], 0, 0, 0),
        # One without an answer may be handled late, or never, but not twice.
        (returned("a:2", "a:1"), [UNANSWERED, A2], 0, 0, 0),
        (returned("a:2"), [UNANSWERED, A2], 0, 0, 0),
        (returned("a:1", "a:1"), [UNANSWERED], 0, 1, 0),
        (returned("a:1"), [REFUSED], 0, 1, 0),
        (returned("a:1"), [A1, UNSENT], 0, 0, 0),
        (returned("z:9"), [A1], 1, 1, 0),
        # A workflow that returns no tokens is judged by its history.
        (recorded("a:1", "a:2"), [A1, A2], 0, 0, 0),
        (recorded("a:2", "a:1"), [A1, A2], 0, 0, 1),
        (recorded("a:2"), [A1, A2], 1, 0, 0),
        (recorded("a:1", result={"tokens": []}), [A1], 1, 0, 0),
    ],
)
def test_messages(ended: Run, sent: list[Operation], lost: int, repeated: int, reordered: int) -> None:
    observed = seen(ended)

    counts = [
        len(module.judge(observed, sent).findings)
        for module in (lost_messages, repeated_messages, reordered_messages)
    ]

    assert counts == [lost, repeated, reordered]


def test_messages_of_a_line_of_runs_are_counted_together() -> None:
    first = recorded("a:1", status=Status.CONTINUED_AS_NEW, continued_as="s")
    second = run("s", first_run_id="r", messages=(Message("a:2", MessageKind.SIGNAL, 5),))

    assert lost_messages.judge(seen(first, second), [A1, A2]).findings == ()


def test_message_to_a_workflow_that_is_gone_is_lost() -> None:
    (finding,) = lost_messages.judge(seen(), [A1]).findings

    assert str(finding) == (
        "lost messages: signal a:1 of w: was acknowledged, is not in the history and was not handled"
    )


def test_nothing_is_said_of_what_could_not_be_read() -> None:
    first = recorded("a:1", status=Status.CONTINUED_AS_NEW, continued_as="s")
    unread = (Unread("w run s", "UNAVAILABLE", Target(NAMESPACE, "w", "s")),)

    assert lost_messages.judge(seen(first, unread=unread), [A1, A2]).checked == 0
    assert lost_messages.judge(seen(first), [A1, A2]).checked == 0
    assert lost_messages.judge(seen(unread=unread), [A1]).checked == 0


def test_tokens() -> None:
    assert token("a", 1) == "a:1"
    assert token("", 1) == "1"
    assert [sender_of(text) for text in ("a:1", "zone-a:b:2", "1")] == ["a", "zone-a:b", ""]
    assert [token_of(value) for value in ("a:1", 7, {"token": "a:1"})] == ["a:1", "7", "a:1"]
    assert [token_of(value) for value in (None, True, 1.5, {"number": 1})] == [None, None, None, None]
    assert handled({"tokens": ["a:1", 2]}) == ["a:1", "2"]
    assert [handled(value) for value in (None, {}, {"tokens": "a:1"}, ["a:1"])] == [None, None, None, None]
