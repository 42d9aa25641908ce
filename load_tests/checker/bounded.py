"""Many small tasks, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def bounded(
    concurrency: int, items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]
) -> list[_Result]:
    """Return what the work made of each item, in no order; the first failure ends all of it."""
    rest = iter(items)
    results: list[_Result] = []

    async def hand() -> None:
        # One iterator for all hands: each takes the next item when it is done with its last.
        for item in rest:
            results.append(await work(item))  # noqa: PERF401 - the order of completion is fine

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(hand())
    return results
