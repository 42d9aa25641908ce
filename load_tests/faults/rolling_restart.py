"""Everything restarted gracefully, as an upgrade of everything does: workload after workload, or all at once.

Deployments and stateful sets by `kubectl rollout restart`; PostgreSQL by the annotation that CloudNativePG takes for
the same (`kubectl cnpg restart` writes it), standbys first, the primary by a switchover.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time

from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import Object, Target

CLUSTERS = "clusters.postgresql.cnpg.io"
ANNOTATION = "kubectl.kubernetes.io/restartedAt"
BEGIN_SECONDS = 60.0
DONE_SECONDS = 900.0
HEALTHY = "Cluster in healthy state"
"""The operator's own wording (`api/v1/cluster_types.go`, `PhaseHealthy`)."""


class RollingRestart(Fault):
    """Every pod of the stack is replaced. There is nothing to undo; `until_over` waits for its end."""

    name = "rolling-restart"

    def __init__(self, target: Target, journal: Journal, *, is_together: bool = False) -> None:
        """Say how.

        Args:
            target: Where.
            journal: Of the run.
            is_together: Whether all workloads restart at once; else one after another.
        """
        super().__init__(target, journal)
        self.is_together = is_together
        self._workloads: list[str] = []
        self._pods: dict[str, str] = {}

    def describe(self) -> str:
        """Say how."""
        return "rolling restart of everything" + (" at once" if self.is_together else "")

    def _prepare(self) -> Undo:
        self._workloads = [
            f"{kind}/{item['metadata']['name']}"
            for kind in ("deployment", "statefulset", CLUSTERS)
            for item in self._found(kind)
        ]
        if not self._workloads:
            raise LoadTestError(f"namespace {self._target.namespace}: it has nothing to restart")
        self._pods = self._running()
        return []

    async def _inject(self) -> Effect:
        begun = self._workloads if self.is_together else self._workloads[:1]
        for workload in begun:
            await self._restart(workload)
        at = time.time()
        await until(
            lambda: self._pods.keys() - self._running().keys(), "the first pod replaced", BEGIN_SECONDS
        )
        return Effect(
            at, f"{len(begun)} of {len(self._workloads)} workloads restarting, the first pod is going"
        )

    async def until_over(self) -> None:
        """Restart the workloads that are left and wait until every pod of before is replaced and all are Ready.

        Raises:
            LoadTestError: One did not get through in time.
        """
        if not self.is_together:
            for number, workload in enumerate(self._workloads):
                if number:
                    await self._restart(workload)
                await self._until_done(workload)
        for workload in self._workloads:
            await self._until_done(workload)
        left = self._pods.keys() & (await asyncio.to_thread(self._running)).keys()
        if left:
            names = ", ".join(sorted(self._pods[uid] for uid in left))
            raise LoadTestError(f"{self.describe()}: not replaced: {names}")

    async def _restart(self, workload: str) -> None:
        kubectl, place = self._target.kubectl, ("-n", self._target.namespace)
        if workload.startswith(CLUSTERS):
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            await self._change(*kubectl, "annotate", "--overwrite", workload, *place, f"{ANNOTATION}={now}")
        else:
            await self._change(*kubectl, "rollout", "restart", workload, *place)

    async def _until_done(self, workload: str) -> None:
        await until(lambda: self._is_done(workload), f"{workload} restarted", DONE_SECONDS)

    def _is_done(self, workload: str) -> bool:
        item = self._target.get(workload, "-n", self._target.namespace)
        status = item["status"]
        if workload.startswith(CLUSTERS):
            names = set(status.get("instanceNames", []))
            has_old = names & {self._pods[uid] for uid in self._pods.keys() & self._running().keys()}
            is_whole = status.get("readyInstances") == item["spec"]["instances"]
            return not has_old and is_whole and status.get("phase") == HEALTHY
        wanted = item["spec"].get("replicas", 1)
        counts = [status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas")]
        is_seen = status.get("observedGeneration") == item["metadata"]["generation"]
        return is_seen and counts == [wanted] * 3

    def _found(self, kind: str) -> list[Object]:
        try:
            return self._target.items(kind, "-n", self._target.namespace)
        except LoadTestError:
            if kind == CLUSTERS:  # a stack whose database is not CloudNativePG's
                return []
            raise

    def _running(self) -> dict[str, str]:
        """Return the names of the namespace's pods that are not going, by their uid; those of jobs left out."""
        return {
            pod["metadata"]["uid"]: pod["metadata"]["name"]
            for pod in self._target.items("pods", "-n", self._target.namespace)
            if not pod["metadata"].get("deletionTimestamp")
            and not any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))
        }
