"""A pod ended: as Kubernetes would (gracefully), or as the kernel would (hard).

Hard is SIGKILL to the first process of each of its containers, with which the kernel ends the others of the container;
the pod stays, and kubelet starts its containers again. This machine has to run the pod for that, as the lab's does.
Elsewhere the pod is deleted without a grace period: Kubernetes forgets it at once and makes another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import Object, Target, ready_pods

GONE_SECONDS = 30.0
PAUSE = "pause"
"""The process that holds a pod's namespaces; it is the pod's, not of what the pod runs."""


class How(StrEnum):
    """In what way a pod ends."""

    GRACEFUL = "graceful"
    HARD = "hard"


class PodKilled(Fault):
    """One pod of a component ends. There is nothing to undo: Kubernetes brings it back."""

    name = "pod-killed"

    def __init__(
        self,
        target: Target,
        journal: Journal,
        *,
        component: str,
        how: How = How.HARD,
        zone: str | None = None,
    ) -> None:
        """Say which pod.

        Args:
            target: Where.
            journal: Of the run.
            component: A name of the stack's output `components`, `postgres-primary`, `cnpg-operator` or `coredns`.
            how: Gracefully or hard.
            zone: Zone of the pod; None: the first by name, wherever it is.
        """
        super().__init__(target, journal)
        self.component, self.how, self.zone = component, how, zone
        self._pod: Object = {}

    def describe(self) -> str:
        """Name component and manner."""
        return f"pod of {self.component} killed ({self.how})" + (f" in {self.zone}" if self.zone else "")

    def _prepare(self) -> Undo:
        self._pod = ready_pods(self._target, self.component, self.zone, "be killed")[0]
        return []

    async def _inject(self) -> Effect:
        if self.how == How.GRACEFUL:
            return await self._delete("--wait=false")
        if self._target.lab is None:
            effect = await self._delete("--wait=false", "--grace-period=0", "--force")
            missing = (
                "no process was killed: the pod was forgotten by Kubernetes, its processes ended by kubelet"
            )
            return Effect(effect.at, effect.proof, (missing,))
        return await self._kill()

    async def _delete(self, *how: str) -> Effect:
        metadata = self._pod["metadata"]
        place = ("-n", metadata["namespace"])
        await self._change(*self._target.kubectl, "delete", "pod", metadata["name"], *place, *how)
        at = time.time()

        def is_going() -> bool:
            return metadata["uid"] not in {
                pod["metadata"]["uid"]
                for pod in self._target.items("pods", *place)
                if not pod["metadata"].get("deletionTimestamp")
            }

        await until(is_going, f"pod {metadata['name']} on its way out", GONE_SECONDS)
        return Effect(at, f"pod {metadata['name']} is gone or terminating")

    async def _kill(self) -> Effect:
        name, uid = self._pod["metadata"]["name"], self._pod["metadata"]["uid"]
        doomed = list(main_processes(uid))
        if not doomed:
            raise LoadTestError(f"pod {name}: none of its processes is on this machine")
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        at = time.time()
        await until(
            lambda: not set(doomed) & set(main_processes(uid)), f"processes of {name} gone", GONE_SECONDS
        )
        return Effect(at, f"processes {', '.join(map(str, doomed))} of pod {name} are gone")


def main_processes(pod_uid: str, proc: Path = Path("/proc")) -> Iterator[int]:
    """Yield the pids of the first process of each of a pod's containers, as this machine sees them."""
    for entry in proc.glob("[0-9]*"):
        try:
            is_of_pod = f"/pod{pod_uid}/" in (entry / "cgroup").read_text()
            status = (entry / "status").read_text() if is_of_pod else ""
        except (FileNotFoundError, ProcessLookupError):
            continue
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        is_first = lines.get("NSpid", "").split()[-1:] == ["1"]
        if is_first and lines["Name"] != PAUSE and lines["State"][0] not in "ZX":
            yield int(entry.name)
