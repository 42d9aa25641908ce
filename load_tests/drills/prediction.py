"""What a drill was expected to cost, and whether it was so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHARE_ERROR_MAX = 0.10
"""How far off the share of shards may be: ten points."""


@dataclass(frozen=True)
class Expected:
    """What was predicted before the fault was injected.

    Attributes:
        share_of_shards: Which part of the history shards should be out, 0 to 1.
        outage_max_seconds: How long the outage should last at most.
        affected: Whom it should touch, for people.
        why: How one gets there, for people.
    """

    share_of_shards: float
    outage_max_seconds: float
    affected: Sequence[str] = ()
    why: Sequence[str] = ()


@dataclass(frozen=True)
class Comparison:
    """Predicted against observed; a part that is not known is None."""

    expected: Expected | None
    observed_share: float | None
    observed_outage_seconds: float

    def complaints(self) -> list[str]:
        """Return where the prediction was wrong; empty: nowhere, or there was none."""
        if self.expected is None:
            return []
        found: list[str] = []
        if self.observed_outage_seconds > self.expected.outage_max_seconds:
            found.append(
                f"the outage of {self.observed_outage_seconds:.1f} s is longer than the"
                f" {self.expected.outage_max_seconds:g} s that were predicted"
            )
        share = self.observed_share
        if share is not None and abs(share - self.expected.share_of_shards) > SHARE_ERROR_MAX + 1e-9:
            found.append(
                f"{share:.0%} of the shards were out, {self.expected.share_of_shards:.0%} were predicted"
                f" (at most {SHARE_ERROR_MAX * 100:.0f} points off are allowed)"
            )
        return found

    def text(self) -> str:
        """Return it for a table."""
        if self.expected is None:
            return "no prediction"
        share = "?" if self.observed_share is None else f"{self.observed_share:.0%}"
        return (
            f"{self.expected.share_of_shards:.0%} of shards, {self.expected.outage_max_seconds:g} s"
            f" / {share}, {self.observed_outage_seconds:.1f} s"
        )
