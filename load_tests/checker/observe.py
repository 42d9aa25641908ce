"""Reads everything about the workflows of some operations: from the store, by id, whatever it takes.

Every id is asked for itself. Visibility only adds ids of runs to ask the store for (a second start of the same
workflow id is found no other way) and is compared with the store afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence, Set

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter

from load_tests.checker.bounded import bounded
from load_tests.checker.facts import run_of, status_of
from load_tests.checker.observations import Observations, Run, Sample, Target, Unread
from load_tests.checker.reading import GoneError, UnreadableError, describe, history
from load_tests.checker.replays import Replays
from load_tests.checker.sources import Sources
from load_tests.checker.visibility import VisibilityReader
from load_tests.models import Operation, OperationKind, Outcome
from worker.errors import PayloadUnreadableError
from worker.simulator.client import SimulatorError
from worker.simulator.store import Entry

_LOOK_SECONDS = 0.5
"""Between looks at workflows that have not ended yet."""


async def observe(
    sources: Sources, operations: Sequence[Operation], samples: Sequence[Sample] = ()
) -> Observations:
    """Return all that the stores say about the operations' workflows and their children.

    Waits up to `Sources.end_seconds` for workflows to end, then up to `Sources.visibility_seconds` for visibility.

    Args:
        sources: The stores.
        operations: What was asked of them.
        samples: What was read during the run (`load_tests.checker.sampler`), whose runs are read again.

    Raises:
        LoadTestError: When an operation's namespace has no client.
    """
    for namespace in {operation.namespace for operation in operations}:
        sources.client(namespace)
    converter = next(iter(sources.clients.values())).data_converter if sources.clients else DataConverter()
    async with Replays(sources.workflows, converter) as replays:
        reader = _Reader(sources, replays, {sample.target.run_id for sample in samples})
        await reader.read({*_targets(operations), *(sample.target for sample in samples)})
        visibility = VisibilityReader(sources, operations, reader.runs)
        await reader.read(await visibility.unknown_runs())
        unread = {unread.target.workflow_id for unread in reader.unread if unread.target is not None}
        visible, seconds = await visibility.converge(unread)
    ledger, trouble = await _ledger(sources)
    return Observations(
        runs=reader.runs,
        missing=frozenset(reader.missing),
        unread=(*reader.unread, *visibility.unread, *trouble),
        samples=tuple(samples),
        ledger=ledger,
        visible=visible,
        visibility_seconds=seconds,
        replays=replays.failures,
        unknown_types=frozenset(replays.unknown_types),
    )


def _targets(operations: Iterable[Operation]) -> Iterable[Target]:
    """Yield each workflow's current run, and every run that was acknowledged."""
    for operation in operations:
        if operation.outcome is Outcome.NOT_SENT:
            continue
        yield Target(operation.namespace, operation.workflow_id)
        if operation.run_id and operation.kind in {OperationKind.START, OperationKind.RESULT}:
            yield Target(operation.namespace, operation.workflow_id, operation.run_id)


async def _ledger(sources: Sources) -> tuple[tuple[Entry, ...] | None, tuple[Unread, ...]]:
    if sources.simulator is None:
        return None, ()
    try:
        return tuple(await sources.simulator.ledger(sources.ledger_prefix)), ()
    except SimulatorError as error:
        return None, (Unread("ledger", str(error)),)


class _Reader:
    """Reads runs, then those that they name: of their line, and their children."""

    def __init__(self, sources: Sources, replays: Replays, sampled: Set[str]) -> None:
        self._sources = sources
        self._sampled = sampled
        self._replays = replays
        self._deadline = asyncio.get_running_loop().time() + sources.end_seconds
        self._asked: set[Target] = set()
        self._begun: set[str] = set()
        self._open: set[Target] = set()
        self.runs: dict[str, Run] = {}
        self.missing: set[Target] = set()
        self.unread: list[Unread] = []

    async def read(self, targets: Iterable[Target]) -> None:
        """Read them and what they lead to; wait for those that are open."""
        frontier = set(targets) - self._asked
        while frontier:
            self._asked |= frontier
            led_to = await bounded(self._sources.concurrency, sorted(frontier), self._read)
            frontier = {target for found in led_to for target in found} - self._asked
            if not frontier and self._open:
                await asyncio.sleep(_LOOK_SECONDS)
                frontier, self._open = self._open, set()

    async def _read(self, target: Target) -> list[Target]:
        """Read a run unless it has to be waited for; return the runs that it names."""
        client = self._sources.client(target.namespace)
        try:
            description = await describe(client, target, self._sources.read_seconds)
            info = description.workflow_execution_info
            found = Target(target.namespace, target.workflow_id, info.execution.run_id)
            is_late = asyncio.get_running_loop().time() >= self._deadline
            if not status_of(info.status).is_closed and not is_late:
                self._open.add(target)
                return []
            if found.run_id in self._begun:
                return []
            self._begun.add(found.run_id)
            target = found
            events = await history(client, target, self._sources.read_seconds)
            has_digests = target.run_id in self._sampled
            run = await run_of(target, description, events, client.data_converter, has_digests=has_digests)
        except GoneError:
            self.missing.add(target)
            return []
        except (UnreadableError, PayloadUnreadableError) as error:
            self.unread.append(Unread(str(target), str(error), target))
            return []
        self.runs[target.run_id] = run
        await self._replays.replay(run.workflow_type, WorkflowHistory(target.workflow_id, events))
        return _neighbours(run)


def _neighbours(run: Run) -> list[Target]:
    ids = (run.first_run_id, run.continued_from, run.continued_as)
    line = [Target(run.target.namespace, run.target.workflow_id, run_id) for run_id in ids if run_id]
    return [*line, *run.children]
