"""Current versions of worker pools that are gone: unset, so that their queues follow the pools that serve them now.

Of all worker deployments whose current version has ever polled a queue, the server gives its work to the one that
became current last, whether or not anybody of it still polls. Without this the work of a tenant that gave up its
own workers would wait for them for ever. `observe` reads, `plan` decides (pure), `carry_out` writes, as in
`worker.administration.namespaces`. What pools that exist do among themselves is in `worker.serving.leadership`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from enum import StrEnum

from temporalio.api.workflowservice.v1 import ListWorkerDeploymentsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.reconciliation import PATIENCE, Drift, settle, side_by_side
from worker.client import RPC_TIMEOUT, is_transient
from worker.serving.versioning import current_build, unset
from worker.tenancy import TenantsFile, pool_of_worker_deployment

_PAGE = 100


class Action(StrEnum):
    """What is too much."""

    UNSET_VERSIONS = "unset-versions"


def pools_with_versions(tenants: TenantsFile) -> frozenset[str]:
    """Return the pools whose workers may be current: all there are, none where workers are not versioned."""
    return frozenset(tenants.pools() if tenants.release else ())


def plan(namespace: str, observed: Mapping[str, str]) -> tuple[Drift, ...]:
    """Return what must be done about the builds that `observe` found."""
    if not observed:
        return ()
    builds = ", ".join(f"{name} {build}" for name, build in sorted(observed.items()))
    detail = f"current, but of a pool that is gone or not versioned any more: {builds}"
    return (Drift(namespace, Action.UNSET_VERSIONS, detail),)


async def observe(client: Client, namespace: str, kept: Collection[str]) -> dict[str, str]:
    """Return the current build of every other pool's worker deployment; nothing where there is no such namespace.

    Args:
        client: A client of any namespace.
        namespace: Where to look.
        kept: Pools that may have one.
    """
    try:
        names = [
            name
            for name in await _list(client, namespace)
            if (pool := pool_of_worker_deployment(name)) is not None and pool not in kept
        ]
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return {}
        raise
    # Not from the list, which is a second behind.
    builds = {name: await current_build(client, namespace, name) for name in names}
    return {name: build for name, build in builds.items() if build}


async def carry_out(client: Client, namespace: str, observed: Mapping[str, str]) -> None:
    """Unset what was found."""
    for name in sorted(observed):
        await unset(client, namespace, name)


async def reconcile_all(
    client: Client,
    tenants: TenantsFile,
    patience: timedelta = PATIENCE,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Drift, ...]:
    """Unset the versions of pools that are gone in all namespaces; return what was done.

    Args:
        client: A client of any namespace.
        tenants: Which pools and namespaces there are.
        patience: For each namespace, from when its turn has come.
        on_done: Called after each namespace.

    Raises:
        ReconciliationError: When patience runs out.
        RPCError: For an error that trying again cannot mend.
    """
    kept = pools_with_versions(tenants)

    async def one(namespace: str) -> tuple[Drift, ...]:
        async def look() -> tuple[Drift, ...]:
            return plan(namespace, await observe(client, namespace, kept))

        async def mend(_: Drift) -> None:
            await carry_out(client, namespace, await observe(client, namespace, kept))

        return await settle(look, mend, _may_pass, f"namespace {namespace}: pools not unset", patience)

    names = [namespace.name for namespace in tenants.all_namespaces()]
    results = await side_by_side(names, one, on_done)
    return tuple(drift for result in results for drift in result)


async def _list(client: Client, namespace: str) -> list[str]:
    names: list[str] = []
    token = b""
    while True:
        page = await client.workflow_service.list_worker_deployments(
            ListWorkerDeploymentsRequest(namespace=namespace, page_size=_PAGE, next_page_token=token),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
        names += [deployment.name for deployment in page.worker_deployments]
        token = page.next_page_token
        if not token:
            return names


def _may_pass(error: RPCError) -> bool:
    # FAILED_PRECONDITION: somebody else has changed it since we looked.
    return is_transient(error) or error.status in {
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.FAILED_PRECONDITION,
    }
