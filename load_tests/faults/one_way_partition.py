"""A partition in one direction: a zone sends to another one in vain, while the other direction stays open.

Membership protocols that probe through third parties hide it, and no connection between the two works. Only the
lab can: a NetworkPolicy is enforced for new connections at best, and in both directions of each.
"""

from __future__ import annotations

from load_tests.faults.journal import Journal
from load_tests.faults.machines import DEAD_MAN_SECONDS, LabFault
from load_tests.faults.target import Target


class OneWayPartition(LabFault):
    """What a zone sends toward another one is lost."""

    name = "one-way-partition"

    def __init__(
        self, target: Target, journal: Journal, *, zone: str, toward: str,
        heal_after_seconds: float = DEAD_MAN_SECONDS,
    ) -> None:  # fmt: skip
        super().__init__(target, journal, heal_after_seconds=heal_after_seconds)
        self.zone, self.toward = zone, toward

    def describe(self) -> str:
        """Name both zones."""
        return f"packets from {self.zone} toward {self.toward} lost"

    def _command(self) -> list[str]:
        return ["silence", self.zone, "--toward", self.toward]

    def _place(self) -> str:
        return self.zone
