"""Every workflow that has ended has ended as its start said it has to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.expectations import complaint
from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations, Run
from load_tests.checker.selection import root_of
from load_tests.models import Operation, OperationKind, Outcome

NAME = "wrong results"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Compare what every started workflow came to with what was expected of it."""
    ended = list(_ended(observations, operations))
    complaints = [(str(run.target), complaint(run, expected)) for run, expected in ended]
    return Judgement.of(NAME, "ended workflows", len(ended), [pair for pair in complaints if pair[1]])


def _ended(observations: Observations, operations: Sequence[Operation]) -> Iterable[tuple[Run, str]]:
    """Yield the last run of each start, once, and what is expected of it."""
    seen: set[str] = set()
    for operation in operations:
        is_start = operation.kind is OperationKind.START
        if not is_start or operation.outcome not in {Outcome.OK, Outcome.UNKNOWN}:
            continue
        root = root_of(observations, operation)
        if root is None or root.target.run_id in seen:
            continue
        seen.add(root.target.run_id)
        last = observations.last_of(root)
        if last.is_last and last.status.is_closed:
            yield last, operation.expected
