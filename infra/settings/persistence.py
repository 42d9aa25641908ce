"""Where Temporal keeps its state: a PostgreSQL of ours, or stores that somebody else runs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from infra.settings.base import DnsLabel, HostPort, Model, Quantity, ZonalReplicas
from infra.settings.temporal import Resources


class Pooler(Model):
    """PgBouncer between Temporal and the primary."""

    instances: ZonalReplicas = 3
    """Pods. At least 3, default 3: Temporal goes through the one in its own zone, so that a dark zone takes no
    connection of another along."""
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 20
    """Server connections per database and pod. 1..1000; default 20: three pods and two databases make 120 of
    PostgreSQL's 200."""
    max_client_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Client connections per pod. 1..100000; default 1000: one pod must hold every Temporal connection while
    the others are gone."""
    resources: Resources = Resources(cpu_request="50m", memory_request="64Mi", memory_limit="256Mi")
    """Per pod."""


class ZoneWatcher(Model):
    """Replicas that give up the primary of a dark zone sooner than Kubernetes does (docs/adr/0014)."""

    is_enabled: bool = True
    """Whether they run. Default true. Without, a dark zone that holds the primary costs Kubernetes' patience with
    its node, 40 s and more, before anything else."""
    dead_after_seconds: Annotated[float, Field(ge=2, le=60)] = 4.0
    """A zone that was silent this long to all others is dead. 2..60; default 4: four rounds of looking."""
    resources: Resources = Resources(cpu_request="20m", memory_request="32Mi", memory_limit="128Mi")
    """Per pod."""


class Postgres(Model):
    """PostgreSQL by CloudNativePG, synchronous over zones, with a pooler."""

    instances: ZonalReplicas = 3
    """Instances. At least 3, one per zone: a primary, a synchronous standby, and one to spare. Default 3."""
    storage_size: Quantity
    """Size of each instance's volume. Required: it cannot be shrunk later."""
    max_connections: Annotated[int, Field(ge=50, le=5000)] = 200
    """Connections PostgreSQL accepts. 50..5000; default 200, as each costs memory and the pooler needs 120."""
    shared_buffers: Annotated[str, Field(pattern=r"^[0-9]+(kB|MB|GB)$")] = "256MB"
    """PostgreSQL's page cache, in PostgreSQL's units. Default 256MB, a quarter of the default memory limit."""
    resources: Resources = Resources(memory_request="512Mi", memory_limit="1Gi")
    """Per instance."""
    pooler: Pooler = Pooler()
    """PgBouncer."""
    zone_watcher: ZoneWatcher = ZoneWatcher()
    """What acts on a dark zone."""


class SecretKey(Model):
    """One entry of an existing Kubernetes Secret in the stack's namespace."""

    name: DnsLabel
    """Name of the Secret."""
    key: str = "password"
    """Entry of the Secret. Default `password`."""


class StoreTls(Model):
    """TLS towards a store that is not ours."""

    is_enabled: bool = False
    """Whether to use TLS. Default false; managed services want true."""
    server_name: str | None = None
    """Name that the server's certificate must show. Default none: the host of the address."""
    ca_secret: SecretKey | None = None
    """Certificate authority to trust. Default none: the system's."""


class Store(Model):
    """One PostgreSQL database that somebody else runs."""

    address: HostPort
    """Host and port, one stable name: the server resolves only the first address."""
    database: str
    """Name of the database; it must exist, and its user must be able to create tables in it."""
    user: str
    """Role to log in as."""
    password_secret: SecretKey
    """Where its password is. Only the reference is configuration, never the password."""
    is_transaction_pooled: bool = False
    """Whether a transaction-mode pooler stands before it. Default false; true makes Temporal use PostgreSQL's
    simple protocol, as prepared statements do not survive such a pooler."""
    tls: StoreTls = StoreTls()
    """TLS towards it."""


class External(Model):
    """Stores of a managed service."""

    default: Store
    """The store of workflows, shards and task queues."""
    visibility: Store
    """The store of searches and lists; another database, also if on the same server."""


class Connections(Model):
    """Database connections of each Temporal server pod."""

    default: Annotated[int, Field(ge=1, le=500)] = 20
    """Connections to the default store. 1..500; default 20, upstream's example value."""
    visibility: Annotated[int, Field(ge=1, le=500)] = 10
    """Connections to the visibility store. 1..500; default 10: it sees far fewer requests."""


class Persistence(Model):
    """The two stores of Temporal."""

    kind: Literal["postgres", "external"]
    """`postgres` runs one here; `external` uses existing ones."""
    postgres: Postgres | None = None
    """Settings of kind postgres; with no other kind."""
    external: External | None = None
    """Settings of kind external; with no other kind."""
    connections: Connections = Connections()
    """Connections of each server pod."""

    @model_validator(mode="after")
    def _exactly_its_kind(self) -> Self:
        given = {name for name in ("postgres", "external") if getattr(self, name) is not None}
        if given != {self.kind}:
            found = " and ".join(sorted(given)) or "neither"
            raise ValueError(f"kind is {self.kind}, so exactly the key {self.kind} is needed; found {found}")
        return self
