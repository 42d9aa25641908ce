"""How Temporal's own administration is brought to what the tenants file says: look, plan, do, look again.

What is looked at and done lives in `worker.administration.namespaces` and `worker.administration.queues`; here is what they share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from temporalio.service import RPCError

PATIENCE = timedelta(seconds=120)
"""Servers learn of a new namespace within about ten seconds; the rest is for a failover under way."""

AT_ONCE = 16
"""Things looked at or changed at the same time. The server allows 20 changes of namespaces per second
(`frontend.rps.namespaceReplicationInducingAPIs`) and makes the rest wait by refusing them for a while: few at
once wait shortly, a thousand at once would lose their patience. Measured on a dev server with 200 namespaces:
4 at once 115 s, 8 at once 61 s, 16 at once 36 s."""

_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.1, 1.0
"""Between two looks: at first what servers tell each other at once, later what takes them a cache's refresh."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class ReconciliationError(Exception):
    """Temporal cannot be brought to what the tenants file says; the message is one line for people."""


@dataclass(frozen=True)
class Drift:
    """One difference between the tenants file and the server."""

    namespace: str
    action: StrEnum
    """What mends it."""
    detail: str
    """For people: what is and what should be."""
    task_queue: str = ""
    """Empty when it concerns the whole namespace."""


async def settle(
    look: Callable[[], Awaitable[Sequence[Drift]]],
    carry_out: Callable[[Drift], Awaitable[None]],
    may_pass: Callable[[RPCError], bool],
    complaint: str,
    patience: timedelta = PATIENCE,
) -> tuple[Drift, ...]:
    """Look and mend until nothing is left; return what was done.

    What was just created is not known to every server at once, and one of several callers loses each race;
    both look like errors, so looking, planning and doing go on until nothing is left.

    Args:
        look: Returns what differs now, in the order in which it is to be mended.
        carry_out: Mends one difference; that it is mended already is no error.
        may_pass: Whether an error may be gone the next time.
        complaint: Begins the message when patience runs out.
        patience: How long to go on.

    Raises:
        ReconciliationError: When patience runs out.
        RPCError: For an error that does not pass.
    """
    done: dict[str, Drift] = {}
    last: RPCError | None = None
    pause_seconds = _PAUSE_SECONDS
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        try:
            missing = await look()
            if not missing:
                return tuple(done.values())
            for drift in missing:
                await carry_out(drift)
                done.setdefault(drift.action, drift)
        except RPCError as error:
            if not may_pass(error):
                raise
            last = error
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _PAUSE_SECONDS_MAX)
    raise ReconciliationError(
        f"{complaint} after {patience.total_seconds():g} s"
        + (f"; last error: {last.message}" if last else "")
    )


async def side_by_side(
    items: Iterable[_Item],
    work: Callable[[_Item], Awaitable[_Result]],
    on_done: Callable[[], None] = lambda: None,
) -> list[_Result]:
    """Do the same with every item, `AT_ONCE` at a time; return the results in the items' order.

    Raises:
        Exception: Whatever the first that fails raises; the others are cancelled.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(item: _Item) -> _Result:
        async with turn:
            result = await work(item)
        on_done()
        return result

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
