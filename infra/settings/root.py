"""The settings of one stack, whole: one key per concern."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from infra.settings.base import Model
from infra.settings.cluster import Cluster, Drills, Operators, Protection
from infra.settings.images import Images
from infra.settings.persistence import Persistence
from infra.settings.temporal import LoadBalancer, Temporal, Ui, Workers
from worker.tenancy import Namespace, TenancyError, Tenant, TenantsFile


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
    """The shared worker pool."""
    tenants: tuple[TenantRecord, ...]
    """One record per tenant, zero or more, names unique; in the stack file or in a file that it names."""
    load_balancer: LoadBalancer = LoadBalancer()
    """What clients connect to."""
    ui: Ui = Ui()
    """The web interface."""
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

    def tenants_file(self) -> TenantsFile:
        """Return what the workers and the tenants' reconcile job read.

        Raises:
            TenancyError: When names repeat or the shared namespace is not one of the namespaces.
        """
        return TenantsFile(
            shared_namespace=self.temporal.shared_namespace,
            namespaces=tuple(Namespace(item.name, item.retention_days) for item in self.temporal.namespaces),
            tenants=self.tenants,
        )
