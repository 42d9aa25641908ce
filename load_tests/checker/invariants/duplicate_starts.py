"""Each start makes one workflow: an acknowledged one exactly one, an unknown one at most one, a refused one none.

A run belongs to the start whose request id made it, or which was acknowledged with its run id. A run that
belongs to none was made by somebody who was not asked to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations, Run
from load_tests.models import Operation, OperationKind, Outcome

NAME = "duplicate starts"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look for the start of every workflow."""
    starts: dict[tuple[str, str], list[Operation]] = {}
    for operation in operations:
        if operation.kind is OperationKind.START:
            starts.setdefault((operation.namespace, operation.workflow_id), []).append(operation)
    problems = [
        problem
        for (namespace, workflow_id), made in starts.items()
        for problem in _problems(_roots(observations.runs_of(namespace, workflow_id)), made)
    ]
    return Judgement.of(NAME, "workflow ids", len(starts), problems)


def _roots(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that a client's start made."""
    return [run for run in runs if run.is_first and not run.parent_id]


def _problems(roots: Sequence[Run], starts: Sequence[Operation]) -> Iterable[tuple[str, str]]:
    acknowledged = {start.run_id for start in starts if start.outcome is Outcome.OK}
    outcomes = {start.key: start.outcome for start in starts if start.key}
    nobodys: list[Run] = []
    for run in roots:
        outcome = outcomes.get(run.request_id)
        if outcome in {Outcome.FAILED, Outcome.NOT_SENT}:
            yield str(run.target), f"exists, and its start was {outcome}"
        elif outcome is None and run.target.run_id not in acknowledged:
            nobodys.append(run)
    # A start without a key, or a server that does not tell keys: any one run may be the one it has made.
    has_keys = any(run.request_id for run in roots)
    allowed = sum(start.outcome is Outcome.UNKNOWN and not (has_keys and start.key) for start in starts)
    if len(nobodys) > allowed:
        made = ", ".join(f"{run.target.run_id} by request {run.request_id or '?'}" for run in nobodys)
        yield starts[0].workflow_id, f"runs that are nobody's: {made}; should be at most {allowed}"
    for key, count in Counter(run.request_id for run in roots if run.request_id in outcomes).items():
        if count > 1:
            yield starts[0].workflow_id, f"request {key} has made {count} runs, should be at most 1"
