"""The workers: the shared pool, pools of single tenants, and the routers that they reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from infra.settings.base import DnsLabel, Model, Quantity, ZonalReplicas
from infra.settings.temporal import Resources

LoginName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$")]
"""What inventory records call a login; part of a volume's name, so at most 50 letters, digits and inner hyphens."""


class Guaranteed(Model):
    """What a container reserves and, being the same, may use: nobody else's load reaches it, nor its load theirs."""

    cpu: Quantity = "500m"
    """CPU. Default 500m: half a core carries about as many steps as their tenant may run at a time."""
    memory: Quantity = "512Mi"
    """Memory. Default 512Mi, as for a pod of the shared pool."""


class DedicatedPool(Model):
    """The workers of one tenant of strategy `dedicated-workers`."""

    replicas: ZonalReplicas = 3
    """Pods. At least 3, one per zone; default 3."""
    resources: Guaranteed = Guaranteed()
    """Per pod."""


class Dedicated(DedicatedPool):
    """The pools of all such tenants, and those that differ."""

    tenants: Mapping[str, DedicatedPool] = Field(default_factory=dict)
    """Pool of a single tenant, by its name, whole: what it leaves out is the default here, not the value beside
    it. Default none."""


class Router(Model):
    """One router that is no simulation, as `worker.routers.inventory` reads it. Holds no secret."""

    name: str
    """Lower-case letters, digits and inner hyphens or dots; unique within the fleet."""
    tenant: str
    """Who owns it; one of `tenants`."""
    platform: str
    """Platform, for example `frr` or `iosxr`; the workers refuse one that they do not know."""
    site: str = ""
    """Where it stands; for search only."""
    host: str = ""
    """Name or address at which it is managed."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """0 to 65535; default 0: the platform's own."""
    credentials: str = ""
    """One of `credentials_secret`. Default: `default`."""
    options: Mapping[str, str] = Field(default_factory=dict)
    """What only its driver understands. Default none."""


class Workers(Model):
    """The pool that every tenant without workers of its own shares, and what all pools are told."""

    replicas: ZonalReplicas = 3
    """Pods. At least 3, one per zone; default 3."""
    resources: Resources = Resources(memory_request="192Mi", memory_limit="512Mi")
    """Per pod. About 75 MB plus 0.4 MB per task queue were measured; 512Mi leave room for a thousand queues."""
    dedicated: Dedicated = Dedicated()
    """Pools of single tenants."""
    versioning: bool = True
    """Whether pools register with Temporal under deployment name and build id, so that new work goes to the
    release that the stack names. Default true."""
    routers_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+$")]
    """Base URL of the (simulated) routers' service, without a trailing slash. Required: only the operator of the
    network knows it."""
    inventory: tuple[Router, ...] = ()
    """Routers that are no simulation; names unique. Default none."""
    credentials_secret: Mapping[LoginName, DnsLabel] = Field(default_factory=dict)
    """Existing Kubernetes Secret with `username` and `password` or `private_key`, by the name that inventory
    records call it. Default none."""
    graceful_shutdown_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Seconds that running activities get to finish when a pod stops. 1..600; default 30, longer than any
    single step against a router."""
