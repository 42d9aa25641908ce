"""An effect is there once at most, and only if a history asked for it.

A step that was tried again and recognised by the router is as it should be: the ledger calls it a duplicate,
and nothing was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation
from worker.simulator.store import Entry, Kind, Outcome

NAME = "repeated effects"

_NOTHING_DONE = frozenset({Outcome.DUPLICATE, Outcome.LIED, Outcome.WITHDRAWN, Outcome.NOTHING_TO_UNDO})


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Count the effects of every key that belongs to a workflow under test."""
    workflow_ids = {operation.workflow_id for operation in operations}
    workflow_ids |= {run.target.workflow_id for run in observations.runs.values()}
    asked = {step.key for run in observations.runs.values() for step in run.steps}
    unread = {workflow_id for _, workflow_id in observations.unread_workflows}
    effects = Counter(
        entry.idempotency_key
        for entry in observations.ledger or ()
        if _is_effect(entry) and _workflow_id(entry.idempotency_key) in workflow_ids - unread
    )
    problems: list[tuple[str, str]] = []
    for key, count in effects.items():
        allowed = 1 if key in asked else 0
        if count > allowed:
            reason = "" if key in asked else ": no history asks for it"
            problems.append((f"effect {key}", f"is there {count} times, should be at most {allowed}{reason}"))
    return Judgement.of(NAME, "effects", effects.total(), problems)


def _is_effect(entry: Entry) -> bool:
    """Return whether something was done because somebody asked; what a router undoes by itself is not."""
    return entry.outcome not in _NOTHING_DONE and entry.kind is not Kind.REVERT


def _workflow_id(key: str) -> str:
    """Return whose effect it is; keys are `WORKFLOW ID/RUN ID/STEP` (`worker.workflows.router_deployment`)."""
    return key.partition("/")[0]
