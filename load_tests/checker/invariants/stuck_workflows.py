"""Every workflow has ended: all that was due is past when the check is made."""

from __future__ import annotations

from collections.abc import Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.observations import Observations
from load_tests.models import Operation

NAME = "stuck workflows"


def judge(observations: Observations, operations: Sequence[Operation]) -> Judgement:
    """Look at the last run of every line, of the operations' workflows and of their children."""
    del operations
    last = [run for run in observations.runs.values() if run.is_last]
    problems = [
        (str(run.target), f"is {run.status}, should have ended by now")
        for run in last
        if not run.status.is_closed
    ]
    return Judgement.of(NAME, "workflows", len(last), problems)
