"""Every history fits the workflows' code: no worker has said otherwise, and it replays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation

NAME = "replay determinism"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look at the replay of every history for which there was code."""
    del operations
    return Judgement.of(NAME, "replayed histories", len(observations.replays), _problems(observations))


def _problems(observations: Observations) -> Iterable[tuple[str, str]]:
    for run_id, run in observations.runs.items():
        failure = observations.replays.get(run_id, "")
        if failure:
            yield str(run.target), f"does not replay: {failure}"
        elif run.misfits:
            events = ", ".join(str(event_id) for event_id in run.misfits)
            yield str(run.target), f"did not fit the code of a worker, events {events}"
