"""Where the bundle runs: which cluster, which zones, what its nodes ask of pods, who may break it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from infra.settings.base import DnsLabel, Model


class Toleration(Model):
    """A taint that pods of this bundle accept."""

    key: str
    """Key of the taint."""
    value: str | None = None
    """Value of the taint; none means any value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; none means every effect."""


def _zones(zones: tuple[str, ...]) -> tuple[str, ...]:
    if len(zones) != len(set(zones)):
        raise PydanticCustomError("routerfleet_zones", "{zones} names a zone twice", {"zones": list(zones)})
    if len(zones) < 3:
        raise PydanticCustomError(
            "routerfleet_zones",
            "{zones} is too few: at least 3 zones, so that losing one leaves a majority",
            {"zones": list(zones)},
        )
    return zones


class Cluster(Model):
    """The Kubernetes cluster that a stack belongs to, and no other."""

    context: Annotated[str, StringConstraints(min_length=1)]
    """Name of the kubeconfig context. Required: the current context is never used, so that a stack cannot land
    on the cluster somebody happened to work on last."""
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")] | None = None
    """UID of the cluster's kube-system namespace. Default none; set it where two kubeconfigs may call different
    clusters by the same context name."""
    zones: Annotated[tuple[str, ...], AfterValidator(_zones)]
    """Values of the node label topology.kubernetes.io/zone that pods may use. At least 3, unique. Required:
    a zone that silently disappears from a discovered list would shrink the spread."""
    namespace: DnsLabel = "temporal"
    """Kubernetes namespace of everything but operators. Default `temporal`, as people look for it there."""
    creates_namespace: bool = True
    """Whether the stack makes that namespace, and deletes it with itself. Default true. False where it exists
    already, for example to hold the Secrets of external stores; it must enforce Pod Security `restricted`."""
    dns_domain: str = "cluster.local"
    """Domain of the cluster's DNS, which HAProxy's resolver needs spelled out. Default `cluster.local`."""
    storage_class: str | None = None
    """Storage class of database volumes. Default none: the cluster's default class. It should bind volumes on
    first use, so that the volume follows the pod's zone."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints accepted by every pod, for dedicated node pools. Default none."""


class Operators(Model):
    """Operators that the bundle needs."""

    install: bool = True
    """Whether to install CloudNativePG from its pinned release manifest. Default true; set false where the
    platform already runs it."""


class Drills(Model):
    """Permission to break things on purpose."""

    is_allowed: bool = False
    """Whether failure drills may run here: labels the namespace `drill=allowed`, without which they refuse.
    Default false: breaking a cluster has to be asked for. True on local stacks only."""


class Protection(Model):
    """Guard against deleting state by accident."""

    is_enabled: bool = False
    """Whether `pulumi destroy` refuses to delete databases and namespaces. Default false, so that a trial ends
    clean; true on production."""
