"""The watcher's memory of its rounds: how long each zone has been silent, and what peers said last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor

from zone_watcher import probing, silence
from zone_watcher.model import Sites, Vote

Clock = Callable[[], float]
"""Seconds that never go back."""


class Lookout:
    """Looks when it is told to. One thread tells it; others may ask at any time what it has heard."""

    def __init__(self, pool: Executor, clock: Clock = time.monotonic) -> None:
        """Begin with an empty memory.

        Args:
            pool: Threads that ask one witness each.
            clock: For tests.
        """
        self._pool, self._clock = pool, clock
        self._lock = threading.Lock()
        self._states: dict[str, silence.ZoneState] = {}
        self._heard: dict[str, tuple[Vote, float]] = {}
        self._last: float | None = None
        self._own_zone: str | None = None

    def look(self, sites: Sites) -> None:
        """Do one round."""
        began = self._clock()
        found = probing.look(sites, self._pool)
        with self._lock:
            elapsed = began - (began if self._last is None else self._last)
            self._states = silence.advance(self._states, elapsed, found.answers)
            # As if heard when the round began, which it was soon after: rather too old than too young.
            self._heard |= {vote.zone: (vote, began) for vote in found.votes}
            self._last, self._own_zone = began, sites.own_zone

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the last round began; None before the first."""
        last = self._last
        return None if last is None else self._clock() - last

    def own_vote(self) -> Vote | None:
        """Return what was heard; None before the first round, or while the own zone is not known."""
        with self._lock:
            if self._own_zone is None or self._last is None:
                return None
            silences = {zone: state.silence() for zone, state in self._states.items()}
            return Vote(self._own_zone, silences, self._clock() - self._last)

    def votes(self) -> list[Vote]:
        """Return the own vote, first, and each peer's last one with its age; empty where there is no own one."""
        own = self.own_vote()
        if own is None:
            return []
        with self._lock:
            now = self._clock()
            heard = [
                Vote(vote.zone, vote.silences, vote.age_seconds + now - at)
                for zone, (vote, at) in sorted(self._heard.items())
                if zone != own.zone
            ]
        return [own, *heard]
