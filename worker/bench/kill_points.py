"""The ten points of a rollout at which `worker.bench.kills` kills a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.bench.gate import Trip


@dataclass(frozen=True)
class Point:
    """Where in a rollout a worker dies."""

    name: str
    trip: Trip
    is_undone: bool = False
    """Whether the router in question fails its checks, so that it is rolled back."""


POINTS = (
    Point("precheck-unsent", Trip("GET", "")),
    Point("backup-unreported", Trip("GET", "", count=2, is_answered=True)),
    Point("apply-unsent", Trip("POST", "changes")),
    Point("apply-unreported", Trip("POST", "changes", is_answered=True)),
    Point("verify-unsent", Trip("POST", "checks")),
    Point("confirm-unsent", Trip("POST", "confirmations")),
    Point("confirm-unreported", Trip("POST", "confirmations", is_answered=True)),
    Point("rollback-unsent", Trip("POST", "rollbacks"), is_undone=True),
    Point("rollback-unreported", Trip("POST", "rollbacks", is_answered=True), is_undone=True),
)
"""`unsent`: the router has not heard of the step. `unreported`: it has done it, and the worker dies before
it can tell Temporal. Each is met at a router of its own."""

SOAK = "soak"
"""The tenth: between canary and first batch, no deployment runs and every worker dies."""


def victims(routers: Sequence[str]) -> dict[str, Point]:
    """Return at which router which point is met: spread over the rollout, none of them the canary.

    Args:
        routers: At least `ROUTERS_MIN`, in the order of the rollout.
    """
    return {
        routers[1 + number * (len(routers) - 1) // len(POINTS)]: point for number, point in enumerate(POINTS)
    }


ROUTERS_MIN = 1 + len(POINTS)
"""The canary, and one router per point."""
