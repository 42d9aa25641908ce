"""Bugs of signals and updates."""

from __future__ import annotations

from load_tests.checker.mutations.scene import Scene
from load_tests.checker.mutations.workflows import Flaw, Task
from load_tests.checker.tokens import token
from load_tests.models import Operation, OperationKind, Outcome


async def converse(scene: Scene, flaw: Flaw) -> Operation:
    """Send four messages of two senders, each after the acknowledgement of the one before."""
    start = await scene.start("CheckerCollector", Task(4, flaw))
    await scene.signal(start, token("a", 1))
    await scene.signal(start, token("a", 2))
    await scene.update(start, token("b", 1))
    await scene.update(start, token("b", 2))
    return start


async def swallowed(scene: Scene) -> None:
    """A workflow forgets a signal."""
    await converse(scene, Flaw.SWALLOWS)


async def acknowledged_and_never_recorded(scene: Scene) -> None:
    """A signal is acknowledged, and the server has never heard of it."""
    start = await converse(scene, Flaw.NONE)
    scene.record(OperationKind.SIGNAL, start.workflow_id, token("c", 1))


async def repeated(scene: Scene) -> None:
    """A workflow handles a signal twice."""
    await converse(scene, Flaw.REPEATS)


async def refused_and_handled(scene: Scene) -> None:
    """A signal is refused, and is handled all the same."""
    start = await scene.start("CheckerCollector", Task(2))
    await scene.signal(start, token("a", 1))
    await scene.signal(start, token("a", 2), Outcome.FAILED)


async def reordered(scene: Scene) -> None:
    """A workflow handles a sender's second signal before the first."""
    await converse(scene, Flaw.REORDERS)
