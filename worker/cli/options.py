"""Options that several commands take, and completion of their values. Nothing heavy is imported here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from worker.tenancy import TenancyError, TenantsFile

TENANTS_FILE = "ROUTERFLEET_TENANTS_FILE"
INVENTORY_FILE = "ROUTERFLEET_INVENTORY_FILE"


@dataclass(frozen=True)
class Common:
    """What every command takes, before or after the command's name."""

    tenant: str | None = None
    is_json: bool = False
    tenants_file: Path | None = None

    @classmethod
    def of(
        cls, context: typer.Context, tenant: str | None, is_json: bool, tenants_file: Path | None
    ) -> Common:
        """Return what the command was given, else what stands before its name."""
        before = context.find_object(Common) or cls()
        return cls(tenant or before.tenant, is_json or before.is_json, tenants_file or before.tenants_file)


def complete_tenant(context: typer.Context, incomplete: str) -> list[str]:
    """Return the tenants' names that begin so; none when there is no readable file."""
    try:
        tenants = TenantsFile.load(_tenants_file(context))
    except TenancyError:
        return []
    return [tenant.name for tenant in tenants.tenants if tenant.name.startswith(incomplete)]


def complete_router(context: typer.Context, incomplete: str) -> list[str]:
    """Return the inventory's routers that begin so, of the tenant if one is given; asks no server."""
    from worker.errors import UsageError
    from worker.routers.inventory import Inventory

    path = os.environ.get(INVENTORY_FILE)
    try:
        routers = Inventory.load(Path(path)).all() if path else ()
    except UsageError:
        return []
    tenant = _given(context, "tenant")
    return [
        router.name
        for router in routers
        if router.name.startswith(incomplete) and tenant in {None, router.tenant}
    ]


def _tenants_file(context: typer.Context) -> Path:
    return Path(_given(context, "tenants_file") or os.environ.get(TENANTS_FILE, ""))


def _given(context: typer.Context, name: str) -> str | None:
    """Return an option's value as typed so far, of this command or of the one before it."""
    current: typer.Context | None = context
    while current is not None:
        value: object = current.params.get(name)
        if value is not None:
            return str(value)
        current = current.parent  # pyright: ignore[reportAssignmentType] - typer declares its own base
    return None


TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", "-t", metavar="NAME", help="Whose routers.", autocompletion=complete_tenant),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on standard output and nothing else there.", show_default=False)
]
FileOption = Annotated[
    Path | None,
    typer.Option("--tenants-file", metavar="PATH", help=f"The tenants file; default: ${TENANTS_FILE}."),
]
TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Router or change of --tenant, or a whole workflow id.",
        autocompletion=complete_router,
    ),
]
