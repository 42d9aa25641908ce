"""One clock for all processes of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Clock:
    """Seconds since the Unix epoch, counted by the monotonic clock, which all processes of a machine share.

    The wall clock is read once, so that a step of it during the run moves nothing.
    """

    epoch: float
    """What the monotonic clock's zero is in seconds since the Unix epoch."""

    def now(self) -> float:
        """Return the time."""
        return self.epoch + time.monotonic()

    @classmethod
    def read(cls) -> Self:
        """Make a clock from the wall clock."""
        return cls(time.time() - time.monotonic())
