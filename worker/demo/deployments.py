"""Pure: the six deployments of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from worker.models import DeploymentRequest
from worker.tenancy import Namespace, TenancyError, Tenant, TenantsFile

DEFAULT_TENANTS = TenantsFile(
    shared_namespace="production",
    namespaces=(Namespace("production"), Namespace("staging")),
    tenants=(Tenant("chogar"), Tenant("amovil"), Tenant("afijo")),
)
"""The fleet's first three tenants, used when no tenants file is given."""

_ROUTERS = (
    ("chogar", "mad-1", "madrid"),
    ("chogar", "svq-1", "sevilla"),
    ("amovil", "bio-1", "bilbao"),
    ("afijo", "vlc-1", "valencia"),
    ("afijo", "zaz-1", "zaragoza"),
    ("afijo", "vgo-1", "vigo"),
)
"""Tenant, router, site. A router's name is unique in the whole fleet."""

_TEMPLATE = """\
! what the demo puts on every router
hostname $hostname
ntp server 192.0.2.123
interface lo0 description $site
neighbor 192.0.2.1 remote-as 64512
"""


@dataclass(frozen=True)
class Deployment:
    """One deployment of the demo."""

    tenant: Tenant
    request: DeploymentRequest


def plan_demo(tenants: TenantsFile, run: str, only: str | None = None) -> tuple[Deployment, ...]:
    """Return the demo's deployments, all tenants' or one's.

    Args:
        tenants: Where each tenant's deployments run.
        run: Distinguishes this run's routers from those of others, so that each run starts from nothing.
        only: Name of the one tenant to deploy for.

    Raises:
        TenancyError: When a tenant of the demo is not in the file, or `only` is none of the demo's.
    """
    names = {tenant for tenant, _, _ in _ROUTERS}
    if only is not None and only not in names:
        raise TenancyError(f"--tenant: {only!r} must be one of {', '.join(sorted(names))}")
    return tuple(
        Deployment(
            tenants.tenant(tenant),
            DeploymentRequest(
                tenant=tenant,
                router=f"{router}-{run}",
                site=site,
                change_id=f"demo-{run}",
                template=_TEMPLATE,
                variables={"hostname": f"{tenant}-{router}", "site": site},
            ),
        )
        for tenant, router, site in _ROUTERS
        if only in (None, tenant)
    )
