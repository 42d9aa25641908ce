"""How Temporal reaches its two stores, whichever kind of persistence they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra import names
from infra.settings import Settings
from infra.settings.persistence import Store

StoreName = Literal["default", "visibility"]


@dataclass(frozen=True)
class SecretRef:
    """One entry of a Kubernetes Secret. Holds the name of a secret, never its content."""

    name: str
    key: str


@dataclass(frozen=True)
class StoreTlsSpec:
    """TLS towards a store."""

    server_name: str | None = None
    """Name that the certificate must show; none means the host of the address."""
    ca_secret: SecretRef | None = None
    """Authority to trust; none means the system's."""


@dataclass(frozen=True)
class SqlStore:
    """One PostgreSQL database."""

    name: StoreName
    """Which of Temporal's stores it is."""
    address: str
    """Host and port that the servers connect to."""
    schema_address: str
    """Host and port that the schema job connects to: past a transaction pooler, which DDL does not like."""
    database: str
    """Name of the database."""
    user: str
    """Role to log in as."""
    password: SecretRef
    """Where the password is."""
    is_transaction_pooled: bool
    """Whether a transaction-mode pooler stands at `address`."""
    max_connections: int
    """Connections of one server pod."""
    tls: StoreTlsSpec | None = None
    """TLS, or none for plain text inside the cluster."""

    @property
    def password_variable(self) -> str:
        """Environment variable that carries the password into a server pod."""
        return f"{self.name.upper()}_STORE_PASSWORD"

    @property
    def ca_mount(self) -> str:
        """Folder in which a pod finds the certificate authority."""
        return f"/etc/temporal/ca/{self.name}"


@dataclass(frozen=True)
class Stores:
    """Both stores."""

    default: SqlStore
    """Workflows, shards, task queues."""
    visibility: SqlStore
    """Searches and lists."""

    def both(self) -> tuple[SqlStore, SqlStore]:
        """Return them in the order in which the schema job sets them up."""
        return self.default, self.visibility


def stores_of(settings: Settings) -> Stores:
    """Return the two stores of a stack."""
    external = settings.persistence.external
    if external is not None:
        return Stores(
            default=_external("default", external.default, settings.persistence.connections.default),
            visibility=_external(
                "visibility", external.visibility, settings.persistence.connections.visibility
            ),
        )
    return Stores(
        default=_own("default", names.DEFAULT_DATABASE, settings),
        visibility=_own("visibility", names.VISIBILITY_DATABASE, settings),
    )


def _own(name: StoreName, database: str, settings: Settings) -> SqlStore:
    namespace, domain = settings.cluster.namespace, settings.cluster.dns_domain
    connections = settings.persistence.connections
    return SqlStore(
        name=name,
        address=f"{names.host(names.POOLER, namespace, domain)}:{names.POSTGRES_PORT}",
        schema_address=f"{names.host(names.POSTGRES_PRIMARY, namespace, domain)}:{names.POSTGRES_PORT}",
        database=database,
        user=names.DATABASE_OWNER,
        password=SecretRef(names.POSTGRES_OWNER_SECRET, "password"),
        is_transaction_pooled=True,
        max_connections=connections.default if name == "default" else connections.visibility,
    )


def _external(name: StoreName, store: Store, max_connections: int) -> SqlStore:
    ca_secret = store.tls.ca_secret
    tls = StoreTlsSpec(
        server_name=store.tls.server_name,
        ca_secret=SecretRef(ca_secret.name, ca_secret.key) if ca_secret else None,
    )
    return SqlStore(
        name=name,
        address=store.address,
        schema_address=store.address,
        database=store.database,
        user=store.user,
        password=SecretRef(store.password_secret.name, store.password_secret.key),
        is_transaction_pooled=store.is_transaction_pooled,
        max_connections=max_connections,
        tls=tls if store.tls.is_enabled else None,
    )
