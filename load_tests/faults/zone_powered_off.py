"""A zone without power: its processes are gone at once, and nothing answers for them."""

from __future__ import annotations

from load_tests.faults.machines import ZoneFault


class ZonePoweredOff(ZoneFault):
    """Every machine of a zone loses its power."""

    name = "zone-powered-off"
    missing = "the nodes kept their power: connections to them were reset, not left unanswered"

    def describe(self) -> str:
        """Name the zone."""
        return f"{self.zone} powered off"

    def _command(self) -> list[str]:
        return ["power-off", self.zone]
