"""One run of a command: the tenants file, the connection, and which workflow an ID means."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from worker.cli.options import TENANTS_FILE, Common
from worker.cli.output import Output
from worker.client import RPC_TIMEOUT, connect, in_namespace
from worker.errors import UsageError
from worker.tenancy import (
    TenancyError,
    Tenant,
    TenantsFile,
    deployment_workflow_id,
    rollout_workflow_id,
    tenant_of_workflow_id,
)

DEPLOYMENT = "RouterDeployment"
ROLLOUT = "FleetRollout"
"""Workflow types, as `list` and `watch` know them."""

_SPELL = {DEPLOYMENT: deployment_workflow_id, ROLLOUT: rollout_workflow_id}
_WORDS = {DEPLOYMENT: "deployment", ROLLOUT: "rollout"}


@dataclass(frozen=True)
class Found:
    """The workflow that an ID means."""

    tenant: Tenant
    client: Client
    """Of the namespace in which it was found."""
    description: WorkflowExecutionDescription

    @property
    def is_rollout(self) -> bool:
        """Whether it is a rollout; else it is one router's deployment."""
        return self.description.workflow_type == ROLLOUT


class Session:
    """What an action needs; connects when it is first asked for a client, so that bad input costs no wait."""

    def __init__(self, common: Common, tenants: TenantsFile) -> None:
        self._tenant = common.tenant
        self.tenants = tenants
        self.output = Output(common.is_json)
        self._client: Client | None = None

    @property
    def tenant_is_given(self) -> bool:
        """Whether there is a `--tenant`."""
        return self._tenant is not None

    def tenant(self) -> Tenant:
        """Return the tenant given.

        Raises:
            UsageError: When none is given.
            TenancyError: When the file has none of that name.
        """
        if self._tenant is None:
            known = ", ".join(tenant.name for tenant in self.tenants.tenants) or "none"
            raise UsageError(f"--tenant: not given; known tenants: {known}")
        return self.tenants.tenant(self._tenant)

    async def client(self, namespace: str) -> Client:
        """Return a client of a namespace.

        Raises:
            UsageError: When the `TEMPORAL_*` variables cannot be used.
            RuntimeError: When the server cannot be reached.
        """
        if self._client is None:
            self._client = await connect(namespace=namespace)
        return in_namespace(self._client, namespace)

    def namespaces_of(self, tenant: Tenant) -> tuple[str, ...]:
        """Return where the tenant's workflows are: while it moves between namespaces, the old one too."""
        old = self.tenants.old_lane_of(tenant)
        names = (self.tenants.namespace_of(tenant), *([old.namespace] if old else []))
        return tuple(dict.fromkeys(names))

    async def find(self, target: str, *, kinds: tuple[str, ...] = (DEPLOYMENT, ROLLOUT)) -> Found:
        """Return the workflow that an ID means: a whole workflow id, or a router or change of `--tenant`.

        Args:
            target: The ID.
            kinds: What it may be, tried in this order.

        Raises:
            UsageError: When there is no such workflow.
            TenancyError: When the tenant is not known, or the ID can be no name.
        """
        tenant, ids = self._candidates(target, kinds)
        for namespace in self.namespaces_of(tenant):
            client = await self.client(namespace)
            for workflow_id in ids:
                description = await _describe(client, workflow_id)
                if description is not None and description.workflow_type in kinds:
                    return Found(tenant, client, description)
        wanted = " or ".join(_WORDS[kind] for kind in kinds)
        raise UsageError(f"{target!r}: tenant {tenant.name} has no such {wanted}; `routers list` shows them")

    def _candidates(self, target: str, kinds: tuple[str, ...]) -> tuple[Tenant, list[str]]:
        owner = tenant_of_workflow_id(target)
        if owner is not None and self._tenant in {None, owner}:
            return self.tenants.tenant(owner), [target]
        if self._tenant is None:
            raise UsageError(f"{target!r}: is no workflow id; for a router's or change's name give --tenant")
        tenant = self.tenant()
        ids: list[str] = []
        problem: TenancyError | None = None
        for kind in kinds:
            # A change's name may have letters that no router's has.
            try:
                ids.append(_SPELL[kind](tenant.name, target))
            except TenancyError as error:
                problem = problem or error
        if problem is not None and not ids:
            raise problem
        return tenant, ids


def perform(common: Common, action: Callable[[Session], Awaitable[int]]) -> int:
    """Run an action to its end, or until Ctrl-C or SIGTERM; return the exit code."""
    path = common.tenants_file or Path(os.environ.get(TENANTS_FILE, ""))
    if not path.name:
        raise UsageError(f"{TENANTS_FILE}: not set; give it, or --tenants-file PATH")
    return asyncio.run(_until_stopped(action(Session(common, TenantsFile.load(path)))))


async def _until_stopped(action: Awaitable[int]) -> int:
    task = asyncio.ensure_future(action)
    # Only a main thread can; whoever runs commands elsewhere stops them in another way.
    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _describe(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
