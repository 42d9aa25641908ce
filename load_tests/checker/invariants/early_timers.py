"""No timer fires before it is due, by the server's own clock."""

from __future__ import annotations

from collections.abc import Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations, Timer
from load_tests.models import Operation

NAME = "early timers"

TOLERANCE_SECONDS = 0.001
"""Temporal keeps the time of a task to the millisecond (`common.ScheduledTaskMinPrecision`)."""


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Compare when every timer fired with when it was due."""
    del operations
    timers = [(run, timer) for run in observations.runs.values() for timer in run.timers]
    problems = [
        (f"timer {timer.timer_id} of {run.target}", _detail(timer))
        for run, timer in timers
        if timer.late_seconds < -TOLERANCE_SECONDS
    ]
    return Judgement.of(NAME, "fired timers", len(timers), problems)


def _detail(timer: Timer) -> str:
    return f"fired {timer.fired - timer.started:.3f} s after it was started, should be {timer.seconds:g} s"
