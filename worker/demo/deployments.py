"""Pure: the six deployments of the demo, to simulated routers or to real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from worker.errors import UsageError
from worker.models.deployment import CheckSpec, DeploymentRequest
from worker.routers.driver import BGP_SESSION, ROUTE
from worker.routers.inventory import Inventory, RouterRecord
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

_FRR_TEMPLATE = """\
! one session with the provider, and the network behind the router announced to it
hostname $router
interface lo
 description $site
 ip address $network_address
router bgp $asn
 bgp router-id $address
 no bgp ebgp-requires-policy
 neighbor $provider_address remote-as $provider_asn
 neighbor $provider_address description $change
 address-family ipv4 unicast
  network $network
"""
_FRR_FACTS = (
    "address",
    "asn",
    "network",
    "network_address",
    "provider_address",
    "provider_asn",
    "provider_prefixes",
)
_WRONG_AS = "64999"
"""Nobody's; of the private range (RFC 6996)."""


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
    _check_tenant(only)
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


def plan_frr(
    tenants: TenantsFile, inventory: Inventory, run: str, only: str | None = None
) -> tuple[Deployment, ...]:
    """Return the same six deployments for the real FRR routers of the inventory.

    Args:
        tenants: Where each tenant's deployments run.
        inventory: Names the routers as the demo does; their options say what the template needs to know.
        run: Distinguishes this run's change from that of others, so that each run changes something.
        only: Name of the one tenant to deploy for.

    Raises:
        TenancyError: As `plan_demo`.
        UsageError: When the inventory lacks a router of the demo, or a fact about it.
    """
    _check_tenant(only)
    return tuple(
        Deployment(tenants.tenant(tenant), _frr_request(_record(inventory, router), run))
        for tenant, router, _ in _ROUTERS
        if only in (None, tenant)
    )


def with_wrong_neighbour(deployment: Deployment) -> Deployment:
    """Return the deployment with an AS number that its neighbour does not have."""
    request = deployment.request
    variables = {**request.variables, "provider_asn": _WRONG_AS}
    return replace(
        deployment, request=replace(request, variables=variables, change_id=f"{request.change_id}-wrong")
    )


def _frr_request(record: RouterRecord, run: str) -> DeploymentRequest:
    facts = {fact: record.options[fact] for fact in _FRR_FACTS}
    route, *_ = facts.pop("provider_prefixes").split()
    return DeploymentRequest(
        tenant=record.tenant,
        router=record.name,
        site=record.site,
        change_id=f"demo-{run}",
        platform=record.platform,
        template=_FRR_TEMPLATE,
        variables={**facts, "router": record.name, "site": record.site, "change": f"demo-{run}"},
        checks=(CheckSpec(BGP_SESSION, facts["provider_address"]), CheckSpec(ROUTE, route)),
    )


def _record(inventory: Inventory, router: str) -> RouterRecord:
    record = inventory.find(router)
    if record is None:
        raise UsageError(f"ROUTERFLEET_INVENTORY_FILE: has no router {router!r}; the demo needs it")
    for fact in _FRR_FACTS:
        if not record.options.get(fact):
            raise UsageError(f"ROUTERFLEET_INVENTORY_FILE: routers.{router}.options lacks {fact!r}")
    return record


def _check_tenant(only: str | None) -> None:
    names = {tenant for tenant, _, _ in _ROUTERS}
    if only is not None and only not in names:
        raise TenancyError(f"--tenant: {only!r} must be one of {', '.join(sorted(names))}")
