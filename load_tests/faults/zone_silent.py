"""A silent zone: its machines run on, but no packet gets in or out, established connections included."""

from __future__ import annotations

from load_tests.faults.machines import ZoneFault


class ZoneSilent(ZoneFault):
    """Nobody hears a zone, nor it anybody."""

    name = "zone-silent"
    missing = (
        "no packet was dropped: the pods were ended, where a silent zone's run on and may think they lead"
    )

    def describe(self) -> str:
        """Name the zone."""
        return f"{self.zone} silent"

    def _command(self) -> list[str]:
        return ["silence", self.zone]
