"""How long a zone has been silent, from rounds of looking. Pure.

Time is counted in rounds, not read off a clock: a watcher that stood still for a minute has not listened for a
minute, so a round never counts more than `ROUND_MAX_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zone_watcher.model import Silence, Witness

ROUND_MAX_SECONDS = 2.0
"""What one round counts at most; twice the time from one to the next."""
RECENT_SECONDS = 10.0
"""A kind of witness is lost with its zone if it answered this shortly before everybody fell silent. Longer than a pod
takes to disappear from the endpoints that it is known by, shorter than two independent failures are apart."""


@dataclass(frozen=True)
class ZoneState:
    """What is remembered of a zone."""

    seconds: float = 0.0
    """Since anything answered."""
    ages: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds since a witness of that kind answered; kinds that never did are left out."""

    def silence(self) -> Silence:
        """Return what a vote says of it."""
        kinds = (kind for kind, age in self.ages.items() if age - self.seconds <= RECENT_SECONDS)
        return Silence(self.seconds, frozenset(kinds))


def advance(
    before: Mapping[str, ZoneState], elapsed_seconds: float, answers: Iterable[tuple[Witness, bool]]
) -> dict[str, ZoneState]:
    """Return what is remembered after another round.

    Args:
        before: State by zone after the round before.
        elapsed_seconds: Between the two rounds, by the monotonic clock.
        answers: Every witness that was asked, and whether it answered. A zone without any is forgotten: nobody was
            asked, so nothing was heard to fall silent.
    """
    step = min(elapsed_seconds, ROUND_MAX_SECONDS)
    asked = list(answers)
    after: dict[str, ZoneState] = {}
    for zone in {witness.zone for witness, _ in asked}:
        heard = {witness.kind for witness, is_there in asked if witness.zone == zone and is_there}
        state = before.get(zone, ZoneState())
        ages = {kind: age + step for kind, age in state.ages.items()} | dict.fromkeys(heard, 0.0)
        after[zone] = ZoneState(0.0 if heard else state.seconds + step, ages)
    return after
