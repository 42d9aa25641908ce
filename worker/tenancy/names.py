"""Names that several packages spell: pools, queues, search attributes and workflow ids."""

from __future__ import annotations

import re

from worker.tenancy.checks import TenancyError

SHARED_POOL = "shared"
"""The worker pool that serves every tenant without workers of its own."""

SHARED_QUEUE = "shared-deployments"
"""The queue of every tenant of strategy `shared-queue`."""

WORKER_DEPLOYMENT_PREFIX = "worker-"
"""Begins the name under which a pool's workers register with Temporal, which is its Kubernetes workload's too."""

TENANT_NAMESPACE_PREFIX = "tenant-"
"""Begins the Temporal namespace of a tenant that has its own."""

SEARCH_ATTRIBUTES = ("Tenant", "Router", "Site", "Phase", "ChangeId")
"""Keyword search attributes that every namespace with deployments carries."""

RETENTION_DAYS_MAX = 365
"""Closed workflows older than a year belong in an archive, not in Temporal's database."""

WORKFLOW_KINDS = ("deploy", "rollout", "window")
"""First word of every workflow id: a router's deployment, a rollout, what a maintenance window starts."""

TENANT_NAME = re.compile(r"[a-z][a-z0-9]{0,39}")
"""No hyphen: names join a tenant's with hyphens, and two tenants must never spell the same one."""

_ROUTER_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


def worker_deployment(pool: str) -> str:
    """Return the name of a worker pool's deployment, in Temporal as in Kubernetes."""
    return f"{WORKER_DEPLOYMENT_PREFIX}{pool}"


def pool_of_worker_deployment(name: str) -> str | None:
    """Return which pool's deployment it is by its name, or None when it is none of this module's."""
    pool = name.removeprefix(WORKER_DEPLOYMENT_PREFIX)
    return pool if pool != name and TENANT_NAME.fullmatch(pool) else None


def deployment_workflow_id(tenant: str, router: str) -> str:
    """Return the workflow id of a router's deployment.

    One id per router, so that Temporal itself allows one open deployment per router at a time.

    Raises:
        TenancyError: When the router's name cannot stand in a workflow id.
    """
    if not _ROUTER_NAME.fullmatch(router):
        raise TenancyError(
            f"router {router!r} must be lower-case letters, digits and inner hyphens or dots, at most 63"
        )
    return f"deploy-{tenant}-{router}"


def rollout_workflow_id(tenant: str, change_id: str) -> str:
    """Return the workflow id of a tenant's rollout: one open rollout per change.

    Raises:
        TenancyError: When the change's name cannot stand in a workflow id.
    """
    if not _ROUTER_NAME.fullmatch(change_id.lower()):
        raise TenancyError(
            f"change {change_id!r} must be letters, digits and inner hyphens or dots, at most 63"
        )
    return f"rollout-{tenant}-{change_id}"


def window_schedule_id(tenant: str, window: str) -> str:
    """Return the id of a tenant's maintenance window: of the schedule, and the start of its workflows' ids.

    Raises:
        TenancyError: When the window's name cannot stand in an id.
    """
    if not _ROUTER_NAME.fullmatch(window):
        raise TenancyError(
            f"window {window!r} must be lower-case letters, digits and inner hyphens or dots, at most 63"
        )
    return f"window-{tenant}-{window}"


def tenant_of_workflow_id(workflow_id: str) -> str | None:
    """Return whose workflow it is by its id, or None when the id is none of this module's."""
    kind, _, rest = workflow_id.partition("-")
    tenant, separator, _ = rest.partition("-")
    return tenant if kind in WORKFLOW_KINDS and separator and TENANT_NAME.fullmatch(tenant) else None
