"""What faults happen to: a stack on a cluster, through kubectl; and the lab's command line where that is the lab's.

kubectl uses the environment's kubeconfig, as every command of the load tests does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from load_tests.errors import LoadTestError
from load_tests.faults import commands

ZONE_LABEL = "topology.kubernetes.io/zone"
PERMISSION_LABEL = "drill"
PERMISSION = "allowed"
LAB = (sys.executable, "-m", "lab")
DATABASE = "postgres"
DATABASE_PRIMARY = "postgres-primary"
OPERATOR = "cnpg-operator"
DNS = "coredns"
CLUSTER_COMPONENTS = {
    OPERATOR: ("cnpg-system", "app.kubernetes.io/name=cloudnative-pg"),
    DNS: ("kube-system", "k8s-app=kube-dns"),
}
"""What a stack relies on outside its namespace: namespace and selector, as their own manifests set them
(`releases/cnpg-1.28.1.yaml` of CloudNativePG; kube-dns is the label of every cluster's DNS)."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A stack that faults may happen to.

    Attributes:
        namespace: Its Kubernetes namespace.
        selectors: Label selector of each component's pods, from the stack's output `components`.
        zones: Its zones, from the stack's output.
        lab: The lab's command line if the cluster is the lab, else None.
        kubectl: Command to reach the cluster by.
    """

    namespace: str
    selectors: Mapping[str, str]
    zones: Sequence[str]
    lab: Sequence[str] | None = None
    kubectl: Sequence[str] = ("kubectl",)

    @property
    def components(self) -> list[str]:
        """Everything that can be killed by name."""
        return sorted({*self.selectors, *CLUSTER_COMPONENTS, *self._primary()})

    def check_permission(self) -> None:
        """Refuse a cluster on which faults are not wanted.

        Raises:
            LoadTestError: The namespace lacks the label, or is not there.
        """
        namespace = self.get("namespace", self.namespace)
        if namespace["metadata"].get("labels", {}).get(PERMISSION_LABEL) != PERMISSION:
            raise LoadTestError(
                f"namespace {self.namespace}: no faults here: it lacks the label "
                f"{PERMISSION_LABEL}={PERMISSION}, which `drills.is_allowed: true` in the stack gives it"
            )

    def place(self, component: str) -> tuple[str, str]:
        """Return namespace and label selector of a component's pods.

        Raises:
            LoadTestError: There is no such component; the message lists them.
        """
        if component in CLUSTER_COMPONENTS:
            return CLUSTER_COMPONENTS[component]
        selector = {**self.selectors, **self._primary()}.get(component)
        if selector is None:
            raise LoadTestError(
                f"component: {component!r} is none of this stack; they are {', '.join(self.components)}"
            )
        return self.namespace, selector

    def pods(self, component: str) -> list[Object]:
        """Return a component's pods that are Ready and not going, by name."""
        namespace, selector = self.place(component)
        return [pod for pod in self.items("pods", "-n", namespace, "-l", selector) if is_ready(pod)]

    def nodes(self, zone: str) -> list[str]:
        """Return the names of a zone's nodes.

        Raises:
            LoadTestError: It has none; the message lists the zones.
        """
        found = [node["metadata"]["name"] for node in self.items("nodes", "-l", f"{ZONE_LABEL}={zone}")]
        if not found:
            raise LoadTestError(f"zone: {zone!r} has no nodes; the stack's zones are {', '.join(self.zones)}")
        return found

    def items(self, *what: str) -> list[Object]:
        """Return the objects that `kubectl get` finds."""
        return cast("list[Object]", self.get(*what)["items"])

    def get(self, *what: str) -> Object:
        """Return what `kubectl get` finds, as JSON."""
        return cast("Object", json.loads(self.run("get", *what, "-o", "json")))

    def run(self, *arguments: str) -> str:
        """Run kubectl for something that changes nothing."""
        return commands.run([*self.kubectl, *arguments])

    def lab_only(self, what: str) -> Sequence[str]:
        """Return the lab's command line.

        Raises:
            LoadTestError: The cluster is not the lab.
        """
        if self.lab is None:
            raise LoadTestError(f"{what}: only the lab can do this, and this cluster is not the lab's")
        return self.lab

    def _primary(self) -> dict[str, str]:
        selector = self.selectors.get(DATABASE)
        return {DATABASE_PRIMARY: f"{selector},cnpg.io/instanceRole=primary"} if selector else {}


def ready_pods(target: Target, component: str, zone: str | None, to: str) -> list[Object]:
    """Return a component's pods that are Ready, of one zone or of all, by name; at least one.

    Args:
        target: Where.
        component: Whose pods.
        zone: Where they run; None: anywhere.
        to: What is to happen to one of them, for the message.

    Raises:
        LoadTestError: There is none.
    """
    nodes = None if zone is None else target.nodes(zone)
    found = [pod for pod in target.pods(component) if nodes is None or pod["spec"]["nodeName"] in nodes]
    if not found:
        where = f" in {ZONE_LABEL}={zone}" if zone else ""
        raise LoadTestError(f"component {component}: it has no Ready pod{where} that could {to}")
    return found


def is_ready(pod: Object) -> bool:
    """Tell whether a pod is Ready and nobody has asked for its end."""
    ready = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
    return ready == ["True"] and not pod["metadata"].get("deletionTimestamp")


def find_lab() -> Sequence[str] | None:
    """Return the lab's command line if the environment's kubeconfig is that of the lab on this machine."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        return None
    try:
        status = json.loads(
            commands.run(["sh", "-c", '"$@" || test $? -eq 1', "lab", *LAB, "status", "--json"])
        )
    except LoadTestError:
        return None
    is_same = Path(status["kubeconfig"]).resolve() == Path(kubeconfig).resolve()
    return LAB if is_same and status["api"] != "down" else None
