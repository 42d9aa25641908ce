"""Bugs of the store: histories, timers, visibility."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from load_tests.checker.mutations.scene import Scene
from load_tests.checker.mutations.stage import server, workers
from load_tests.checker.mutations.workflows import Mood, Task
from load_tests.checker.observations import Observations, Run
from load_tests.checker.sampler import Sampler
from load_tests.checker.tokens import token
from load_tests.models import Outcome
from worker.demo.embedded import free_port

_EARLY_SECONDS = 0.015


async def restored(scene: Scene) -> None:
    """The database comes back without its last writes, as when a replica that lags is promoted.

    Only an unacknowledged signal is lost, so that nothing but the sampled history can tell.
    """
    database, port = _database(scene), free_port()
    async with server(database, port) as (client, _), workers(client):
        scene.stage = replace(scene.stage, client=client)
        start = await scene.start("CheckerCollector", Task(2))
        # The answer to a message shows that the workflow waits for the next one.
        await scene.update(start, token("a", 1))
    _copy(database, database.with_name("earlier"))
    async with server(database, port) as (client, _), workers(client):
        scene.stage = replace(scene.stage, client=client)
        await scene.signal(start, token("a", 2), Outcome.UNKNOWN)
        await scene.end_of(start)
        sampler = Sampler({client.namespace: client})
        sampler.watch(start.namespace, start.workflow_id, start.run_id)
        await sampler.look()
        scene.samples = sampler.samples
    _copy(database.with_name("earlier"), database)
    client, _ = await scene.lasting.enter_async_context(server(database, port))
    await scene.lasting.enter_async_context(workers(client))
    scene.stage = replace(scene.stage, client=client)
    await scene.signal(start, token("a", 3))


async def deleted(scene: Scene) -> None:
    """The database loses a workflow that has ended, visibility with it."""
    database, port = _database(scene), free_port()
    async with server(database, port) as (client, _), workers(client):
        scene.stage = replace(scene.stage, client=client)
        start = await scene.echo()
        await scene.end_of(start)
        await scene.until_listed(start)
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("executions", "current_executions", "executions_visibility"):
            connection.execute(f"DELETE FROM {table} WHERE workflow_id = ?", (start.workflow_id,))  # noqa: S608
    client, _ = await scene.lasting.enter_async_context(server(database, port))
    scene.stage = replace(scene.stage, client=client)


def _database(scene: Scene) -> Path:
    """Return where a server of the bug's own keeps its data."""
    folder = scene.stage.folder / scene.name
    folder.mkdir()
    return folder / "temporal.sqlite3"


def _copy(source: Path, target: Path) -> None:
    """Copy a database that nobody has open, with its journal."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
        if source.with_name(source.name + suffix).exists():
            shutil.copyfile(source.with_name(source.name + suffix), target.with_name(target.name + suffix))


async def fired_early(scene: Scene) -> None:
    """A timer fires before it is due: read so, because no server can be talked into it."""
    await scene.echo()

    def hasten(run: Run) -> Run:
        timers = (replace(timer, fired=timer.started + _EARLY_SECONDS) for timer in run.timers)
        return replace(run, timers=tuple(timers))

    def tamper(observations: Observations) -> Observations:
        return replace(observations, runs={key: hasten(run) for key, run in observations.runs.items()})

    scene.tamper = tamper


async def fickle(scene: Scene) -> None:
    """A workflow looks at what is outside of it, which is different when it is replayed."""
    Mood.is_hasty = False
    start = await scene.start("CheckerFickle", Task(7), {"number": 7})
    await scene.end_of(start)
    Mood.is_hasty = True


async def unlisted(scene: Scene) -> None:
    """Visibility loses one of two workflows."""
    for start in (await scene.echo(), await scene.echo()):
        await scene.end_of(start)
        await scene.until_listed(start)
    scene.visibility_seconds = 1.0
    with closing(sqlite3.connect(scene.stage.database, timeout=10)) as connection, connection:
        connection.execute("DELETE FROM executions_visibility WHERE run_id = ?", (start.run_id,))
