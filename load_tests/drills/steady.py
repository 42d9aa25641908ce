"""Whether the system is in its steady state, without which a fault shows nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from load_tests.drills.measures import MISSED_SHARE_MIN, is_missed
from load_tests.generator.processor import Idleness, mean_idle
from load_tests.generator.self_check import IDLE_MIN
from load_tests.models import ClientKind, Operation

_ENDED_SECONDS = 1.5
"""After which a probe has ended, whatever became of it."""


def disturbances(
    operations: Iterable[Operation], idle: Sequence[Idleness], since: float, now: float
) -> list[str]:
    """Return why the state between two times was not steady; empty: it was.

    Args:
        operations: So far.
        idle: Of the generator's machine, so far.
        since: When the warming up was over, in seconds since the Unix epoch.
        now: When the state is judged.
    """
    due = [item for item in operations if item.intended >= since]
    probes = [
        item for item in due if item.client is ClientKind.PROBE and item.intended < now - _ENDED_SECONDS
    ]
    users = [item for item in due if item.client is ClientKind.USER and item.ended is not None]
    found: list[str] = []
    missed = sum(map(is_missed, probes))
    if missed > MISSED_SHARE_MIN * len(probes):
        found.append(f"before the fault {missed} of {len(probes)} probes failed already")
    if failed := sum(map(is_missed, users)):
        found.append(f"before the fault {failed} operations of users failed already")
    if not probes or not users:
        found.append(
            "before the fault nothing was acknowledged: the steady phase is too short or nobody answers"
        )
    share = mean_idle(idle, since, now)
    if share is not None and share < IDLE_MIN:
        found.append(f"before the fault the machine was {share:.0%} idle, at least {IDLE_MIN:.0%} are needed")
    return found
