"""Starts one deployment and follows it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temporalio.client import Client

from worker.administration.moves import check_may_start
from worker.cli.errors import CommandError
from worker.cli.exits import Exit
from worker.cli.following import read
from worker.cli.pollers import refuse_without_workers
from worker.cli.requests import refuse_unrendered
from worker.cli.session import Session
from worker.cli.watching import watch_deployment
from worker.errors import UsageError
from worker.models.deployment import DeploymentRequest
from worker.starting.starter import Started, start_deployment
from worker.tenancy import Urgency, deployment_workflow_id


@dataclass(frozen=True)
class How:
    """How to start something, besides what."""

    urgency: Urgency | None = None
    is_waiting: bool = True
    is_checking_workers: bool = True


async def deploy(session: Session, request: DeploymentRequest, how: How) -> int:
    """Deploy one router; return the exit code.

    Raises:
        UsageError: When the request cannot be used.
        CommandError: When nobody serves the tenant, or another change is under way on the router.
    """
    tenant = session.tenants.tenant(request.tenant)
    workflow_id = deployment_workflow_id(tenant.name, request.router)
    refuse_unrendered(request.router, request.template, request.variables, request.platform)
    problem = request.problem()
    if problem is not None:
        raise UsageError(f"router {request.router!r}: {problem}")
    client = await session.client(session.tenants.namespace_of(tenant))
    await check_may_start(client, session.tenants, tenant, request.router)
    if how.is_checking_workers:
        await refuse_without_workers(client, tenant)
    started = await start_deployment(client, tenant, request, urgency=how.urgency)
    if not started.is_new:
        await _refuse_other(client, started, request)
        session.output.say(f"{workflow_id} is under way already; following it")
    if not how.is_waiting:
        session.output.say(f"{workflow_id} started; `routers watch {workflow_id}` shows it")
        session.output.emit((await read(client, workflow_id, started.run_id)).to_dict())
        return Exit.GOOD
    record = await watch_deployment(session.output, client, workflow_id, started.run_id)
    return record.exit_code


async def _refuse_other(client: Client, started: Started, request: DeploymentRequest) -> None:
    """Refuse to take somebody else's open deployment for the one asked for.

    Raises:
        CommandError: Of type `RouterBusy`.
    """
    workflow_id = started.handle.id
    there = (await read(client, workflow_id, started.run_id)).request
    if there is None or replace(there, requested_by=request.requested_by) == request:
        return
    whose = f"change {there.change_id}" + (f" of {there.requested_by}" if there.requested_by else "")
    if there.change_id == request.change_id:
        whose += " with other contents"
    raise CommandError(
        f"{request.router}: {whose} is under way; wait for it (routers watch {workflow_id})"
        f" or undo it (routers cancel {workflow_id})",
        "RouterBusy",
    )
