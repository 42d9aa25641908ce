"""What is worth knowing of a run besides what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from load_tests.checker.observations import Observations
from worker.simulator.store import Outcome


def measures(observations: Observations) -> dict[str, float | None]:
    """Return figures by name; None: there was nothing to measure.

    Timers are late by what an outage and the way back cost; a repeated step is one whose worker or whose answer
    was lost, and which the router recognised.
    """
    late = sorted(timer.late_seconds for run in observations.runs.values() for timer in run.timers)
    ledger = observations.ledger
    return {
        "timers_late_p50_seconds": _percentile(late, 0.5),
        "timers_late_p999_seconds": _percentile(late, 0.999),
        "timers_late_max_seconds": _percentile(late, 1.0),
        "steps_repeated": None
        if ledger is None
        else float(sum(entry.outcome is Outcome.DUPLICATE for entry in ledger)),
        "visibility_seconds": observations.visibility_seconds,
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that so large a share is not above."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
