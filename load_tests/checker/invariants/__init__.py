"""What has to hold after a run: one invariant per module, each a pure function of what was read and what was asked.

A module has `NAME` and `judge(observations, operations)`. What nobody could read is left out by each of them; the
verdict is then inconclusive at best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from load_tests.checker.findings import Judgement
from load_tests.checker.invariants import (
    determinism,
    duplicate_starts,
    early_timers,
    histories_gone_back,
    lost_messages,
    lost_starts,
    missing_effects,
    reordered_messages,
    repeated_effects,
    repeated_messages,
    stuck_workflows,
    visibility,
    wrong_results,
)
from load_tests.checker.observations import Observations
from load_tests.models import Operation

INVARIANTS: tuple[Callable[[Observations, Sequence[Operation]], Judgement], ...] = tuple(
    module.judge
    for module in (
        lost_starts,
        duplicate_starts,
        stuck_workflows,
        wrong_results,
        lost_messages,
        repeated_messages,
        reordered_messages,
        early_timers,
        missing_effects,
        repeated_effects,
        histories_gone_back,
        determinism,
        visibility,
    )
)
"""Every invariant, in the order of the table."""
