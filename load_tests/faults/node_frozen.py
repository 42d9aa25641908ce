"""A frozen node: its processes stand still and hold what they held, while its kernel still takes connections."""

from __future__ import annotations

from load_tests.faults.machines import ZoneFault


class NodeFrozen(ZoneFault):
    """The node of a zone stands still (on the lab a zone is one node)."""

    name = "node-frozen"
    missing = (
        "no process stood still: the pods were ended, where those of a frozen node keep their connections"
    )

    def describe(self) -> str:
        """Name the zone."""
        return f"node of {self.zone} frozen"

    def _command(self) -> list[str]:
        return ["freeze", self.zone]
