"""The API server stopped: nothing is rescheduled, no leader lease renewed, no operator acts; pods run on.

Only the lab can: a cluster's own API offers no way to stop it.
"""

from __future__ import annotations

from load_tests.faults.machines import LabFault


class ApiStopped(LabFault):
    """The cluster's API server does not run."""

    name = "api-stopped"

    def describe(self) -> str:
        """Name it."""
        return "API server stopped"

    def _command(self) -> list[str]:
        return ["stop", "api"]

    def _place(self) -> str:
        return "api"
