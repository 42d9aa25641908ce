"""Tenants: the one record per tenant, and every name that derives from it.

Standard library only, no I/O but `TenantsFile.load`: infrastructure, workers, load tests and drills all
import this package, so that a queue or a namespace is spelled in exactly one place. Import from here, not
from the modules: `names` (constants, workflow ids), `tenant` (the record), `places` (namespaces and
lanes), `file` (all records together, what each worker pool serves) and `checks` (how a bad value is refused).
"""

from __future__ import annotations

from worker.tenancy.checks import TenancyError
from worker.tenancy.file import TenantsFile
from worker.tenancy.names import (
    RETENTION_DAYS_MAX,
    SEARCH_ATTRIBUTES,
    SHARED_POOL,
    SHARED_QUEUE,
    TENANT_NAME,
    TENANT_NAMESPACE_PREFIX,
    WORKFLOW_KINDS,
    deployment_workflow_id,
    pool_of_worker_deployment,
    rollout_workflow_id,
    tenant_of_workflow_id,
    window_schedule_id,
    worker_deployment,
)
from worker.tenancy.places import Lane, Namespace
from worker.tenancy.tenant import Strategy, Tenant, Urgency

__all__ = [
    "RETENTION_DAYS_MAX",
    "SEARCH_ATTRIBUTES",
    "SHARED_POOL",
    "SHARED_QUEUE",
    "TENANT_NAME",
    "TENANT_NAMESPACE_PREFIX",
    "WORKFLOW_KINDS",
    "Lane",
    "Namespace",
    "Strategy",
    "TenancyError",
    "Tenant",
    "TenantsFile",
    "Urgency",
    "deployment_workflow_id",
    "pool_of_worker_deployment",
    "rollout_workflow_id",
    "tenant_of_workflow_id",
    "window_schedule_id",
    "worker_deployment",
]
