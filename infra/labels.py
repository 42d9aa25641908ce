"""Labels of everything the bundle creates, on Kubernetes' recommended axes."""

from __future__ import annotations

NAME = "app.kubernetes.io/name"
"""Which workload an object belongs to; the one label that selectors use."""
PART_OF = "app.kubernetes.io/part-of"
"""The bundle."""
MANAGED_BY = "app.kubernetes.io/managed-by"
"""Who may change it."""
ZONE = "topology.kubernetes.io/zone"
"""Node label that holds the zone."""


def labels(name: str) -> dict[str, str]:
    """Return the labels of an object that belongs to the workload `name`."""
    return {NAME: name, PART_OF: "routerfleet", MANAGED_BY: "pulumi"}


def selector(name: str) -> dict[str, str]:
    """Return the labels that select the pods of the workload `name`, and never change."""
    return {NAME: name}


def selector_text(name: str) -> str:
    """Return the selector as `kubectl -l` takes it."""
    return ",".join(f"{key}={value}" for key, value in selector(name).items())
