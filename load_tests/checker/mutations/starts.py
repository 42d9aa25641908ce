"""Bugs of starts and of what becomes of them."""

from __future__ import annotations

import uuid

from load_tests.checker.mutations.scene import Scene
from load_tests.checker.mutations.workflows import Flaw, Task
from load_tests.models import OperationKind, Outcome


async def acknowledged_and_never_made(scene: Scene) -> None:
    """A start is acknowledged, and the server has never heard of it."""
    await scene.echo()
    run_id = str(uuid.uuid4())
    scene.record(OperationKind.START, scene.new_id(), str(uuid.uuid4()), run_id=run_id)


async def acknowledged_as_another_run(scene: Scene) -> None:
    """A start is acknowledged with the id of a run that does not exist."""
    start = await scene.echo()
    scene.amend(start, run_id=str(uuid.uuid4()))


async def started_twice(scene: Scene) -> None:
    """A start is repeated under another request id once it has ended."""
    start = await scene.echo()
    await scene.end_of(start)
    await scene.send_start("CheckerEcho", start.workflow_id, Task(7), str(uuid.uuid4()))


async def unknown_made_two(scene: Scene) -> None:
    """A start without an answer has made two runs."""
    start = await scene.echo()
    await scene.end_of(start)
    await scene.send_start("CheckerEcho", start.workflow_id, Task(7), str(uuid.uuid4()))
    scene.amend(start, outcome=Outcome.UNKNOWN, run_id="")


async def refused_and_made(scene: Scene) -> None:
    """A start is refused, and has made a workflow all the same."""
    start = await scene.echo()
    scene.amend(start, outcome=Outcome.FAILED, run_id="", error="RESOURCE_EXHAUSTED")


async def blocked(scene: Scene) -> None:
    """A workflow waits for what never comes."""
    await scene.end_of(await scene.echo())
    await scene.echo(Task(7, Flaw.BLOCKS))
    scene.end_seconds = 1.0


async def wrong_number(scene: Scene) -> None:
    """A workflow returns another number."""
    await scene.echo()
    await scene.echo(Task(7, Flaw.MISCOUNTS))


async def terminated(scene: Scene) -> None:
    """A workflow is terminated by somebody."""
    start = await scene.echo(Task(7, Flaw.BLOCKS))
    await scene.stage.client.get_workflow_handle(start.workflow_id).terminate("planted")
