"""Faults of whole machines by the lab's command line, and what any Kubernetes offers in their place."""

from __future__ import annotations

import json
import time
from abc import abstractmethod

from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import ZONE_LABEL, Target

DEAD_MAN_SECONDS = 900.0
"""After which the lab undoes a fault by itself: longer than any drill, so that it is never what ends one."""
GONE_SECONDS = 60.0


class LabFault(Fault):
    """A fault that the lab brings about, proves, and undoes by itself should everybody die."""

    def __init__(
        self, target: Target, journal: Journal, *, heal_after_seconds: float = DEAD_MAN_SECONDS
    ) -> None:
        super().__init__(target, journal)
        self._seconds = heal_after_seconds

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the words of the lab's command."""

    @abstractmethod
    def _place(self) -> str:
        """Return whose faults the lab has to heal."""

    def _prepare(self) -> Undo:
        lab = self._target.lab_only(self.describe())
        return [[*lab, "heal", "--json", self._place()]]

    async def _inject(self) -> Effect:
        lab = self._target.lab_only(self.describe())
        words = self._command()
        said = json.loads(await self._change(*lab, *words, "--json", "--for", str(self._seconds)))
        return Effect(said["since"], said["proof"])


class ZoneFault(LabFault):
    """A fault of a whole zone. Where the cluster is not the lab, the zone's pods are deleted in its place."""

    missing: str
    """What deleting pods does not do that this fault does."""

    def __init__(
        self, target: Target, journal: Journal, *, zone: str, heal_after_seconds: float = DEAD_MAN_SECONDS
    ) -> None:
        super().__init__(target, journal, heal_after_seconds=heal_after_seconds)
        self.zone = zone
        self._nodes: list[str] = []

    def _place(self) -> str:
        return self.zone

    def _prepare(self) -> Undo:
        self._nodes = self._target.nodes(self.zone)
        if self._target.lab is not None:
            return super()._prepare()
        nodes = self._target.items("nodes", "-l", f"{ZONE_LABEL}={self.zone}")
        # One that somebody else has cordoned stays so.
        ours = [node["metadata"]["name"] for node in nodes if not node["spec"].get("unschedulable")]
        return [[*self._target.kubectl, "uncordon", *ours]] if ours else []

    async def _inject(self) -> Effect:
        if self._target.lab is not None:
            return await super()._inject()
        return await self._delete_pods()

    async def _delete_pods(self) -> Effect:
        """Let nothing start in the zone any more and delete the stack's pods there without a grace period."""
        kubectl, namespace = self._target.kubectl, self._target.namespace
        await self._change(*kubectl, "cordon", *self._nodes)
        doomed = [
            pod["metadata"] for pod in self._target.items("pods", "-n", namespace)
            if pod["spec"].get("nodeName") in self._nodes
        ]  # fmt: skip
        names = [metadata["name"] for metadata in doomed]
        if names:
            await self._change(
                *kubectl,
                "delete",
                "pods",
                "-n",
                namespace,
                "--grace-period=0",
                "--force",
                "--wait=false",
                *names,
            )
        at = time.time()
        uids = {metadata["uid"] for metadata in doomed}
        await until(lambda: not uids & self._uids(), f"{len(uids)} pods of {self.zone} deleted", GONE_SECONDS)
        proof = (
            f"{', '.join(self._nodes)} cordoned, {len(names)} pods of namespace {namespace} gone from there"
        )
        return Effect(
            at, proof, (self.missing, "deleted pods' processes may live until their kubelet ends them")
        )

    def _uids(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self._target.items("pods", "-n", self._target.namespace)}
