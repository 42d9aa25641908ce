"""Where a drill happens: who may, where things are, what can go wrong there, and what is not as it should be.

`Site` is what the engine asks; `ClusterSite` is a stack on a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from load_tests.drills.places import Places
from load_tests.errors import LoadTestError
from load_tests.faults import catalogue
from load_tests.faults.fault import Fault
from load_tests.faults.journal import Journal
from load_tests.faults.target import CLUSTER_COMPONENTS, ZONE_LABEL, Object, Target, find_lab, is_ready
from load_tests.stack import Target as StackTarget


class Site(Protocol):
    """Where a drill happens. Every call may take its time: the engine makes them in threads."""

    def check_permission(self) -> None:
        """Refuse where faults are not wanted.

        Raises:
            LoadTestError: They are not.
        """
        ...

    def places(self, components: Sequence[str]) -> Places:
        """Return the zones, and where the pods of these components are."""
        ...

    def make(self, name: str, journal: Journal, parameters: Mapping[str, str]) -> Fault:
        """Return a fault of this site."""
        ...

    def not_ready(self) -> list[str]:
        """Return what is not as it should be, for people; empty: everything is Ready."""
        ...


class ClusterSite:
    """A stack on a cluster."""

    def __init__(self, target: Target, replicas: Mapping[str, int]) -> None:
        """Say what should be there.

        Args:
            target: The stack as faults take it.
            replicas: How many Ready pods each component should have.
        """
        self.target = target
        self._replicas = replicas

    def check_permission(self) -> None:
        """See `Site`."""
        self.target.check_permission()

    def places(self, components: Sequence[str]) -> Places:
        """See `Site`."""
        zones = _zones(self.target.items("nodes"))
        return Places(
            sorted(set(zones.values())),
            {name: [zones[pod["spec"]["nodeName"]] for pod in self.target.pods(name)] for name in components},
        )

    def make(self, name: str, journal: Journal, parameters: Mapping[str, str]) -> Fault:
        """See `Site`."""
        return catalogue.make(name, self.target, journal, parameters)

    def not_ready(self) -> list[str]:
        """See `Site`; a cluster that does not answer is not Ready either."""
        try:
            nodes, pods = self.target.items("nodes"), self.target.items("pods", "-A")
        except LoadTestError as error:
            return [str(error)]
        wanted = {
            name: (self.target.namespace, selector, self._replicas.get(name, 1))
            for name, selector in self.target.selectors.items()
        }
        wanted |= {name: (*place, 1) for name, place in CLUSTER_COMPONENTS.items()}
        return lacking(nodes, pods, wanted)


def site_of(target: StackTarget) -> ClusterSite:
    """Return the site that a stack is.

    Raises:
        LoadTestError: Drills are not allowed there, or it has no cluster.
    """
    if not target.kubernetes_namespace:
        raise LoadTestError(f"--stack: {target.stack} has no cluster; drills need one, for example local")
    if not target.is_drill_allowed:
        raise LoadTestError(
            f"--stack: on {target.stack} no drills are allowed; `drills.is_allowed: true` in the stack allows them"
        )
    components = {name: cast("Mapping[str, Any]", item) for name, item in target.components.items()}
    selectors = {name: str(item["selector"]) for name, item in components.items()}
    replicas = {name: int(item["replicas"]) for name, item in components.items()}
    zones = sorted(target.zone_addresses)
    return ClusterSite(Target(target.kubernetes_namespace, selectors, zones, lab=find_lab()), replicas)


def lacking(
    nodes: Sequence[Object], pods: Sequence[Object], wanted: Mapping[str, tuple[str, str, int]]
) -> list[str]:
    """Return the nodes that are not Ready, and the components with fewer Ready pods than they should have. Pure.

    Args:
        nodes: Of the cluster.
        pods: Of the cluster.
        wanted: By component: namespace, label selector, and how many.
    """
    found = [f"node {node['metadata']['name']}" for node in nodes if not is_ready(node)]
    for name, (namespace, selector, count) in sorted(wanted.items()):
        labels = dict(pair.split("=", 1) for pair in selector.split(",")).items()
        ready = sum(
            pod["metadata"]["namespace"] == namespace
            and labels <= pod["metadata"].get("labels", {}).items()
            and is_ready(pod)
            for pod in pods
        )
        if ready < count:
            found.append(f"{name} {ready} of {count}")
    return found


def _zones(nodes: Sequence[Object]) -> dict[str, str]:
    return {
        node["metadata"]["name"]: node["metadata"]["labels"][ZONE_LABEL]
        for node in nodes
        if ZONE_LABEL in node["metadata"].get("labels", {})
    }
