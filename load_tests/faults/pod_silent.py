"""A silent pod: its processes run on, but no packet gets in or out, established connections included."""

from __future__ import annotations

from load_tests.errors import LoadTestError
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.machines import LabFault
from load_tests.faults.target import ZONE_LABEL, Object, Target, ready_pods


class PodSilent(LabFault):
    """Nobody hears one pod of a component, nor it anybody; kubelet's probes are packets like others."""

    name = "pod-silent"

    def __init__(self, target: Target, journal: Journal, *, component: str, zone: str | None = None) -> None:
        """Say which pod.

        Args:
            target: Where.
            journal: Of the run.
            component: As for a pod that is killed.
            zone: Zone of the pod; None: the first by name, wherever it is.
        """
        super().__init__(target, journal)
        self.component, self.zone = component, zone
        self._pod: Object = {}
        self._pod_zone = ""

    def describe(self) -> str:
        """Name the component."""
        return f"pod of {self.component} silent" + (f" in {self.zone}" if self.zone else "")

    def _command(self) -> list[str]:
        return ["silence", self._pod_zone, "--pod", self._pod["status"]["podIP"]]

    def _place(self) -> str:
        return self._pod_zone

    def _prepare(self) -> Undo:
        self._pod = ready_pods(self._target, self.component, self.zone, "be silenced")[0]
        name = self._pod["spec"]["nodeName"]
        zones = {
            node["metadata"]["name"]: node["metadata"]["labels"].get(ZONE_LABEL)
            for node in self._target.items("nodes")
        }
        if not zones.get(name):
            raise LoadTestError(f"node {name}: it lacks the label {ZONE_LABEL}")
        self._pod_zone = zones[name]
        return super()._prepare()
