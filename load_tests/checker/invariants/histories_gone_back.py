"""A history only grows: what was seen of it once is its beginning ever after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Digest, Observations, Sample
from load_tests.checker.selection import acknowledged
from load_tests.models import Operation, OperationKind

NAME = "histories gone back"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Compare every history that was seen during the run with what it became."""
    seen: dict[str, list[Sample]] = {}
    for sample in observations.samples:
        seen.setdefault(sample.target.run_id, []).append(sample)
    reported = {start.run_id for start in acknowledged(operations, OperationKind.START)}
    problems: list[tuple[str, str]] = []
    for run_id, samples in seen.items():
        views = [sample.digests for sample in samples]
        if run_id in observations.runs:
            views.append(observations.runs[run_id].digests)
        elif run_id not in reported and not _is_unread(observations, samples[0]):
            # An acknowledged start that is gone is the finding of `lost_starts`.
            views.append(())
        problems += ((str(samples[0].target), detail) for detail in _steps_back(views))
    told = [operation for operation in acknowledged(operations, OperationKind.RESULT) if operation.run_id]
    problems += _unended(observations, told)
    return Judgement.of(NAME, "histories seen during the run, ends told", len(seen) + len(told), problems)


def _is_unread(observations: Observations, sample: Sample) -> bool:
    return observations.is_unread(sample.target.namespace, sample.target.workflow_id)


def _steps_back(views: Sequence[Sequence[Digest]]) -> Iterable[str]:
    """Yield where a view does not begin with the one before it."""
    for before, after in pairwise(views):
        common = 0
        while common < min(len(before), len(after)) and before[common] == after[common]:
            common += 1
        if common < len(before):
            now = f"is another at event {common + 1}" if common < len(after) else f"has only {len(after)}"
            yield f"had {len(before)} events, and {now} now"


def _unended(observations: Observations, told: Iterable[Operation]) -> Iterable[tuple[str, str]]:
    """Yield the runs whose end a client was told and that are open."""
    for operation in told:
        run = observations.runs.get(operation.run_id)
        if run is not None and not observations.last_of(run).status.is_closed:
            yield str(run.target), "had ended by what a client was told, and is open"
