"""A step that history says is done has had its effect: the ledger outside the cluster has its key."""

from __future__ import annotations

from collections.abc import Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation
from worker.simulator.store import Outcome

NAME = "missing effects"

_NOTHING_DONE = frozenset({Outcome.DUPLICATE, Outcome.LIED, Outcome.WITHDRAWN})
"""Entries of a key under which the router has not done what it was asked for."""


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look for the effect of every completed step."""
    del operations
    if observations.ledger is None:
        return Judgement.of(NAME, "completed steps", 0, ())
    done = {entry.idempotency_key for entry in observations.ledger if entry.outcome not in _NOTHING_DONE}
    steps = [step for run in observations.runs.values() for step in run.steps if step.is_completed]
    problems = [
        (f"{step.activity} {step.key}", "is completed in the history, and the ledger has no effect of it")
        for step in steps
        if step.key not in done
    ]
    return Judgement.of(NAME, "completed steps", len(steps), problems)
