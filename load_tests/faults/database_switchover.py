"""A planned change of PostgreSQL's primary, as `kubectl cnpg promote` asks for it.

The plugin writes the wanted primary into the cluster's status, and the operator carries it out
(CloudNativePG 1.28.1, `internal/cmd/plugin/promote/promote.go`).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time

from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import DATABASE, Object, Target

RESOURCE = "clusters.postgresql.cnpg.io"
PHASE = "Switchover in progress"
"""The operator's own wording (`api/v1/cluster_types.go`, `PhaseSwitchover`)."""
SECONDS = 120.0
"""After which a switchover counts as refused: CloudNativePG promises one within 20 s (`docs/src/e2e.md`)."""


class DatabaseSwitchover(Fault):
    """A standby becomes the primary. There is nothing to undo: either is as good a primary."""

    name = "database-switchover"

    def __init__(self, target: Target, journal: Journal, *, to: str | None = None) -> None:
        """Say where to.

        Args:
            target: Where.
            journal: Of the run.
            to: Name of the instance to promote; None: the first that is healthy and not the primary.
        """
        super().__init__(target, journal)
        self._to = to or ""

    def describe(self) -> str:
        """Name the instance once it is known."""
        return f"database switched over to {self._to}" if self._to else "database switched over"

    def _prepare(self) -> Undo:
        status = self._status()
        healthy = sorted(status.get("instancesStatus", {}).get("healthy", []))
        standbys = [name for name in healthy if name != status["currentPrimary"]]
        self._to = self._to or next(iter(standbys), "")
        if self._to not in standbys:
            raise LoadTestError(
                f"switchover: {self._to or 'nothing'!r} is no healthy standby; they are {', '.join(standbys) or 'none'}"
            )
        return []

    async def _inject(self) -> Effect:
        before = (await asyncio.to_thread(self._status))["currentPrimary"]
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        patch = {
            "status": {
                "targetPrimary": self._to,
                "targetPrimaryTimestamp": now,
                "phase": PHASE,
                "phaseReason": f"Switching over to {self._to}",
            }
        }
        await self._change(
            *self._target.kubectl, "patch", RESOURCE, DATABASE, "-n", self._target.namespace,
            "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}",
        )  # fmt: skip
        at = time.time()
        await until(
            lambda: self._status().get("currentPrimary") == self._to, f"{self._to} is the primary", SECONDS
        )
        return Effect(at, f"the primary was {before} and is {self._to}")

    def _status(self) -> Object:
        return self._target.get(RESOURCE, DATABASE, "-n", self._target.namespace)["status"]
