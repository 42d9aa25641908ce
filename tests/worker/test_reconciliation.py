"""The loop that looks, mends and looks again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum

import pytest
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.reconciliation import AT_ONCE, Drift, ReconciliationError, settle, side_by_side


class Deed(StrEnum):
    FIRST = "first"
    SECOND = "second"


FIRST, SECOND = Drift("n", Deed.FIRST, "a"), Drift("n", Deed.SECOND, "b")


class Server:
    """Something with two things amiss, whose answers are late or wrong as told."""

    def __init__(self, *answers: RPCError | None) -> None:
        self.missing = [FIRST, SECOND]
        self.answers = list(answers)

    async def look(self) -> list[Drift]:
        return list(self.missing)

    async def mend(self, drift: Drift) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.missing.remove(drift)


def refusal(status: RPCStatusCode) -> RPCError:
    return RPCError("not now", status, b"")


async def settled(server: Server, patience: timedelta = timedelta(seconds=10)) -> tuple[Drift, ...]:
    def is_late(error: RPCError) -> bool:
        return error.status is RPCStatusCode.NOT_FOUND

    return await settle(server.look, server.mend, is_late, "n: not usable", patience)


async def test_what_was_done_is_returned() -> None:
    assert await settled(Server()) == (FIRST, SECOND)


async def test_an_error_that_passes_is_outlived() -> None:
    assert await settled(Server(None, refusal(RPCStatusCode.NOT_FOUND))) == (FIRST, SECOND)


async def test_an_error_that_does_not_pass_ends_it() -> None:
    with pytest.raises(RPCError, match="not now"):
        await settled(Server(refusal(RPCStatusCode.PERMISSION_DENIED)))


async def test_patience_ends_with_the_last_error() -> None:
    server = Server(*[refusal(RPCStatusCode.NOT_FOUND)] * 100)

    with pytest.raises(ReconciliationError) as caught:
        await settled(server, timedelta(seconds=0.3))

    assert str(caught.value) == "n: not usable after 0.3 s; last error: not now"


async def test_few_are_worked_on_at_once_and_results_keep_their_order() -> None:
    running, most, ended = 0, 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    def on_done() -> None:
        nonlocal ended
        ended += 1

    assert await side_by_side(range(100), work, on_done) == [number * 2 for number in range(100)]
    assert (most, ended) == (AT_ONCE, 100)


async def test_the_first_failure_cancels_the_others() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("zero")
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="zero"):
        await side_by_side(range(100), work)

    assert len(begun) <= AT_ONCE + 1
