"""Which operations and runs belong together."""

from __future__ import annotations

from collections.abc import Iterable

from load_tests.checker.observations import Observations, Run
from load_tests.models import Operation, OperationKind, Outcome


def acknowledged(operations: Iterable[Operation], *kinds: OperationKind) -> Iterable[Operation]:
    """Yield the acknowledged operations of some kinds."""
    return (item for item in operations if item.outcome is Outcome.OK and item.kind in kinds)


def root_of(observations: Observations, start: Operation) -> Run | None:
    """Return the run that a start made or joined; None: it made none, or it cannot be told which."""
    run = observations.runs.get(start.run_id)
    if run is not None:
        return run
    runs = observations.runs_of(start.namespace, start.workflow_id)
    return next((run for run in runs if start.key and run.request_id == start.key), None)
