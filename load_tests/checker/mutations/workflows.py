"""Small workflows, sound unless told to have a bug."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio import workflow

QUEUE = "checker-mutations"


class Flaw(StrEnum):
    """What a workflow can be told to do wrong."""

    NONE = "none"
    SWALLOWS = "swallows"
    """Takes the second message and forgets it."""
    REPEATS = "repeats"
    """Handles the second message twice."""
    REORDERS = "reorders"
    """Handles the second message before the first."""
    BLOCKS = "blocks"
    """Never ends."""
    MISCOUNTS = "miscounts"
    """Returns another number than it was given."""


@dataclass(frozen=True)
class Task:
    """Input of these workflows."""

    number: int = 0
    flaw: Flaw = Flaw.NONE


@workflow.defn(name="CheckerEcho")
class Echo:
    """Returns what it was given, after a short timer."""

    @workflow.run
    async def run(self, task: Task) -> dict[str, int]:
        """Return the number."""
        await workflow.sleep(timedelta(milliseconds=20))
        await workflow.wait_condition(lambda: task.flaw is not Flaw.BLOCKS)
        return {"number": task.number + (task.flaw is Flaw.MISCOUNTS)}


@workflow.defn(name="CheckerCollector")
class Collector:
    """Collects messages until it has so many, and returns their tokens."""

    def __init__(self) -> None:
        self._arrived: list[str] = []

    @workflow.run
    async def run(self, task: Task) -> dict[str, list[str]]:
        """Return the tokens as the flaw has it."""
        await workflow.wait_condition(lambda: len(self._arrived) >= task.number)
        tokens = list(self._arrived)
        if task.flaw is Flaw.SWALLOWS:
            del tokens[1]
        if task.flaw is Flaw.REPEATS:
            tokens.insert(2, tokens[1])
        if task.flaw is Flaw.REORDERS:
            tokens[0], tokens[1] = tokens[1], tokens[0]
        return {"tokens": tokens}

    @workflow.signal
    def add(self, token: str) -> None:
        """Take a message."""
        self._arrived.append(token)

    @workflow.update
    def push(self, token: str) -> int:
        """Take a message and say how many there are."""
        self._arrived.append(token)
        return len(self._arrived)


@workflow.defn(name="CheckerLine")
class Line:
    """Starts a child, continues as new that often, and returns the number."""

    @workflow.run
    async def run(self, task: Task) -> dict[str, int]:
        """Return what is left: 0."""
        await workflow.execute_child_workflow(Echo.run, Task(task.number))
        if task.number > 0:
            workflow.continue_as_new(Task(task.number - 1))
        return {"number": task.number}


class Mood:
    """What no workflow may look at: it changes between a run and its replay."""

    is_hasty = False


@workflow.defn(name="CheckerFickle")
class Fickle:
    """Does something else when it is replayed."""

    @workflow.run
    async def run(self, task: Task) -> dict[str, int]:
        """Return the number, after a timer or without."""
        if not Mood.is_hasty:
            await asyncio.sleep(0.02)
        return {"number": task.number}


WORKFLOWS: tuple[type, ...] = (Echo, Collector, Line, Fickle)
