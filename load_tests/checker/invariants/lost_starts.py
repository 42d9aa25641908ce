"""A start that was acknowledged is there, as the run that was acknowledged.

So is every run that a history names as its continuation or its child: to the workflow, that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations, Run, Target
from load_tests.checker.selection import acknowledged
from load_tests.models import Operation, OperationKind

NAME = "lost starts"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look for every acknowledged start in the store, and for every run that a history names."""
    starts = list(acknowledged(operations, OperationKind.START))
    named = [(run, target) for run in observations.runs.values() for target in _named(run)]
    problems = [*_lost(observations, starts), *_lost_named(observations, named)]
    return Judgement.of(NAME, "acknowledged and recorded starts", len(starts) + len(named), problems)


def _named(run: Run) -> list[Target]:
    target = run.target
    following = [Target(target.namespace, target.workflow_id, run.continued_as)] if run.continued_as else []
    return [*following, *run.children]


def _lost(observations: Observations, starts: Iterable[Operation]) -> Iterable[tuple[str, str]]:
    for start in starts:
        is_unread = observations.is_unread(start.namespace, start.workflow_id)
        if start.run_id in observations.runs or is_unread:
            continue
        others = observations.runs_of(start.namespace, start.workflow_id)
        if not start.run_id and others:
            continue
        there = ", ".join(sorted(run.target.run_id for run in others)) or "none"
        target = Target(start.namespace, start.workflow_id, start.run_id)
        yield str(target), f"was acknowledged and is not in the store, whose runs of this id are: {there}"


def _lost_named(observations: Observations, named: Iterable[tuple[Run, Target]]) -> Iterable[tuple[str, str]]:
    for run, target in named:
        if target in observations.missing:
            yield str(target), f"is named by the history of {run.target} and is not in the store"
