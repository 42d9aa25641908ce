"""The settings of one stack, whole: one key per concern."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from infra.settings.base import DnsLabel, Model
from infra.settings.cluster import Cluster, Drills, Operators, Protection
from infra.settings.encryption import CodecServer, PayloadKeys
from infra.settings.images import Images
from infra.settings.persistence import Persistence
from infra.settings.temporal import SHARDS_PER_SERVER_MIN, LoadBalancer, Temporal, Ui
from infra.settings.workers import Workers
from worker.tenancy import Namespace, TenancyError, Tenant, TenantsFile, deployment_workflow_id


def _tenant(value: object) -> Tenant:
    if isinstance(value, Tenant):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "routerfleet_tenant", "{value} must be a record with a name", {"value": str(value)}
        )
    try:
        return Tenant.from_dict(value)  # pyright: ignore[reportUnknownArgumentType]  # from_dict checks it
    except TenancyError as error:
        raise PydanticCustomError("routerfleet_tenant", "{message}", {"message": str(error)}) from error


def _to_dict(tenant: Tenant) -> dict[str, Any]:
    return tenant.to_dict()


TenantRecord = Annotated[Tenant, BeforeValidator(_tenant), PlainSerializer(_to_dict)]
"""One tenant, with the rules of `worker.tenancy.Tenant`."""


class Settings(Model):
    """Everything a stack decides."""

    cluster: Cluster
    """Where it runs."""
    temporal: Temporal
    """The Temporal servers."""
    persistence: Persistence
    """Where their state is kept."""
    workers: Workers
    """The worker pools."""
    tenants: tuple[TenantRecord, ...]
    """One record per tenant, zero or more, names unique; in the stack file or in a file that it names."""
    load_balancer: LoadBalancer = LoadBalancer()
    """What clients connect to."""
    ui: Ui = Ui()
    """The web interface."""
    payload_keys: PayloadKeys = None
    """Keyring that payloads are encrypted with, as encrypted configuration; here only that there is one. Default
    none: payloads are stored as they are."""
    payload_keys_secret: DnsLabel | None = None
    """Existing Kubernetes Secret with the keyring as `keyring.json`, in place of `payload_keys`. Default none."""
    codec_server: CodecServer = CodecServer()
    """Decrypts for the web interface where payloads are encrypted."""
    images: Images = Images()
    """What runs."""
    operators: Operators = Operators()
    """Operators to install."""
    drills: Drills = Drills()
    """Permission to break things."""
    protection: Protection = Protection()
    """Guard against deleting state."""

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        try:
            self.tenants_file()
        except TenancyError as error:
            message = str(error)
            # The tenants file has them at its top; in a stack file they belong to `temporal`.
            key = "" if message.startswith("tenants") else "temporal."
            raise PydanticCustomError(
                "routerfleet_names", "{message}", {"message": f"{key}{message}"}
            ) from error
        return self

    @model_validator(mode="after")
    def _history_servers_have_shards(self) -> Self:
        replicas = self.temporal.history.replicas
        least = SHARDS_PER_SERVER_MIN * replicas
        if self.temporal.history_shards < least:
            raise PydanticCustomError(
                "routerfleet_shards",
                "temporal.history_shards: {shards} must be {least} or more, {each} for each of the {replicas} "
                "history.replicas: a server without a shard is never Ready",
                {
                    "shards": self.temporal.history_shards,
                    "least": least,
                    "each": SHARDS_PER_SERVER_MIN,
                    "replicas": replicas,
                },
            )
        return self

    @model_validator(mode="after")
    def _one_keyring(self) -> Self:
        if self.payload_keys and self.payload_keys_secret:
            raise PydanticCustomError(
                "routerfleet_keys",
                "payload_keys_secret: {name} stands beside payload_keys; give one of the two",
                {"name": self.payload_keys_secret},
            )
        return self

    @model_validator(mode="after")
    def _workers_fit_tenants(self) -> Self:
        if problems := [*_dedicated_problems(self), *_inventory_problems(self)]:
            raise PydanticCustomError("routerfleet_workers", "{lines}", {"lines": "\n".join(problems)})
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether workers encrypt payloads."""
        return bool(self.payload_keys or self.payload_keys_secret)

    def tenants_file(self, release: str = "") -> TenantsFile:
        """Return what the workers and the tenants' reconcile job read.

        Args:
            release: Build id of the workers that should get new work. Default: any.

        Raises:
            TenancyError: When names repeat or the shared namespace is not one of the namespaces.
        """
        return TenantsFile(
            shared_namespace=self.temporal.shared_namespace,
            namespaces=tuple(Namespace(item.name, item.retention_days) for item in self.temporal.namespaces),
            tenants=self.tenants,
            release=release,
        )


def _dedicated_problems(settings: Settings) -> list[str]:
    pools = settings.tenants_file().pools()
    return [
        f"workers.dedicated.tenants.{name}: no tenant of that name has, or is leaving, strategy dedicated-workers"
        for name in settings.workers.dedicated.tenants
        if name not in pools
    ]


def _inventory_problems(settings: Settings) -> list[str]:
    tenants = {tenant.name for tenant in settings.tenants}
    logins = settings.workers.credentials_secret
    routers = settings.workers.inventory
    counts = Counter(router.name for router in routers)
    found = [
        f"workers.inventory: router {name!r} is listed twice; names must be unique"
        for name, count in sorted(counts.items())
        if count > 1
    ]
    for router in routers:
        where = f"workers.inventory.{router.name}"
        try:
            deployment_workflow_id(router.tenant, router.name)
        except TenancyError as error:
            found.append(f"{where}: {error}")
        if router.tenant not in tenants:
            found.append(
                f"{where}.tenant: {router.tenant!r} must be one of {', '.join(sorted(tenants)) or 'none'}"
            )
        if router.credentials and router.credentials not in logins:
            found.append(
                f"{where}.credentials: {router.credentials!r} must be one of workers.credentials_secret: "
                f"{', '.join(sorted(logins)) or 'none'}"
            )
    return found
