"""The Temporal servers and what stands beside them: load balancer and UI. The workers are in `workers`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from infra.settings.base import DnsLabel, Model, PairedReplicas, Quantity, ZonalReplicas


class Resources(Model):
    """What a container reserves and may use."""

    cpu_request: Quantity = "100m"
    """CPU reserved. Default 100m. There is no CPU limit on purpose: throttling would turn load into timeouts."""
    memory_request: Quantity = "256Mi"
    """Memory reserved. Default 256Mi."""
    memory_limit: Quantity = "1Gi"
    """Memory above which the container is killed. Default 1Gi."""


class Frontend(Model):
    """The service that clients talk to."""

    replicas: ZonalReplicas = 3
    """Pods. At least 3, one per zone; default 3."""
    resources: Resources = Resources()
    """Per pod."""


class History(Frontend):
    """The service that owns the shards, and with them every workflow's state."""


class Matching(Frontend):
    """The service that owns the task queues."""


class SystemWorker(Model):
    """The service that runs Temporal's own system workflows (schedules, batch, deletes)."""

    replicas: PairedReplicas = 2
    """Pods. At least 2; default 2, as it holds no state and one survivor is enough."""
    resources: Resources = Resources()
    """Per pod."""


class Namespace(Model):
    """A Temporal namespace shared by tenants."""

    name: DnsLabel
    """Name."""
    retention_days: Annotated[int, Field(ge=1, le=365)] = 7
    """Days a closed workflow stays readable. 1..365; default 7, enough to look into last week's deployment."""


SHARDS_PER_SERVER_MIN = 10
"""History shards for each history server. A server to which the hash ring gives none is never Ready (measured: it stays
NOT_SERVING), and of r servers one has none of n shards by chance with r * (1 - 1/r)^n, about r * e^(-n/r)."""


class Temporal(Model):
    """The Temporal cluster."""

    history_shards: Annotated[int, Field(ge=1, le=131072)]
    """History shards. 1..131072, fixed for the life of the cluster: a later change is refused. Required, since
    no default fits both a laptop and production (512 small production, 4096 large: Temporal's documentation)."""
    namespaces: Annotated[tuple[Namespace, ...], Field(min_length=1)]
    """Shared Temporal namespaces, at least one, names unique."""
    shared_namespace: DnsLabel
    """Which of `namespaces` the tenants without a namespace of their own live in."""
    frontend: Frontend = Frontend()
    """Frontend service."""
    history: History = History()
    """History service."""
    matching: Matching = Matching()
    """Matching service."""
    worker: SystemWorker = SystemWorker()
    """Worker service (Temporal's own; the tenants' workers are `workers`)."""
    dynamic_config: Mapping[str, JsonValue] = Field(default_factory=dict)
    """Dynamic configuration laid over the bundle's own: key to value, for the whole cluster. Default none. The
    server's validator checks it before anything is touched."""


class BalancerService(Model):
    """How clients reach the load balancer."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Kubernetes Service type. Default ClusterIP: nothing outside the cluster gets in unless asked for."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations for the cloud's load balancer controller. Default none."""
    source_ranges: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")], ...] = ()
    """Client networks in CIDR form that a LoadBalancer lets in. Default none, which means all."""
    is_internal: bool = True
    """Whether a LoadBalancer gets an address of the private network only. Default true: Temporal's own port
    has no authorization of its own yet."""


class LoadBalancer(Model):
    """HAProxy before the frontends."""

    replicas: ZonalReplicas = 3
    """Pods. At least 3, one per zone, so that each zone's clients have one near; default 3."""
    resources: Resources = Resources(memory_request="64Mi", memory_limit="256Mi")
    """Per pod. HAProxy needs about 35 KiB per connection at most; 256Mi hold the 4096 that are allowed."""
    service: BalancerService = BalancerService()
    """How clients reach it."""


class Ui(Model):
    """Temporal's web interface."""

    replicas: PairedReplicas = 2
    """Pods. At least 2; default 2."""
    resources: Resources = Resources(cpu_request="50m", memory_request="64Mi", memory_limit="256Mi")
    """Per pod."""
