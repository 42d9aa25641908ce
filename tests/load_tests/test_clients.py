"""What becomes of a call: classed as Jepsen does, by status and by whether it was tried before."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.service import RPCError, RPCStatusCode

from load_tests.clients import PROBE, USER, Answer, ask
from load_tests.models import Outcome

QUICK = replace(USER, deadline_seconds=0.3, pause_seconds=0.01)
STATUS = RPCStatusCode


def failing(*statuses):
    """Return a call that ends with these statuses in turn, then well."""
    left = list(statuses)

    async def send(_):
        if left:
            raise RPCError("no", left.pop(0), b"")
        return "run"

    return send


@pytest.mark.parametrize(
    ("patience", "statuses", "answer"),
    [
        (USER, [], Answer(Outcome.OK, 1, "run")),
        (PROBE, [], Answer(Outcome.OK, 1, "run")),
        (QUICK, [STATUS.UNAVAILABLE, STATUS.DEADLINE_EXCEEDED], Answer(Outcome.OK, 3, "run")),
        (PROBE, [STATUS.UNAVAILABLE], Answer(Outcome.UNKNOWN, 1, None, "UNAVAILABLE")),
        (PROBE, [STATUS.DEADLINE_EXCEEDED], Answer(Outcome.UNKNOWN, 1, None, "DEADLINE_EXCEEDED")),
        (PROBE, [STATUS.UNKNOWN], Answer(Outcome.UNKNOWN, 1, None, "UNKNOWN")),
        (PROBE, [STATUS.RESOURCE_EXHAUSTED], Answer(Outcome.FAILED, 1, None, "RESOURCE_EXHAUSTED")),
        (PROBE, [STATUS.NOT_FOUND], Answer(Outcome.FAILED, 1, None, "NOT_FOUND")),
        (QUICK, [STATUS.INVALID_ARGUMENT], Answer(Outcome.FAILED, 1, None, "INVALID_ARGUMENT")),
        (QUICK, [STATUS.PERMISSION_DENIED], Answer(Outcome.FAILED, 1, None, "PERMISSION_DENIED")),
        # The SDK has tried before, unseen: the call that was lost may have ended the workflow.
        (QUICK, [STATUS.NOT_FOUND], Answer(Outcome.UNKNOWN, 1, None, "NOT_FOUND")),
        (QUICK, [STATUS.UNAVAILABLE] * 1000, None),
    ],
)
async def test_outcomes(patience, statuses, answer):
    found = await ask(failing(*statuses), patience)
    if answer is None:
        assert (found.outcome, found.error) == (Outcome.UNKNOWN, "UNAVAILABLE")
        assert found.attempts > 5
    else:
        assert found == answer


async def test_no_answer_at_all_is_unknown_after_the_deadline():
    async def send(_):
        await asyncio.Event().wait()

    assert await ask(send, replace(PROBE, deadline_seconds=0.05)) == Answer(
        Outcome.UNKNOWN, 1, None, "DEADLINE_EXCEEDED"
    )
