"""Starts a rollout and follows it."""

from __future__ import annotations

from dataclasses import replace

from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext

from worker.administration.moves import check_may_start
from worker.cli.actions.deploy import How
from worker.cli.errors import CommandError
from worker.cli.exits import Exit
from worker.cli.pollers import refuse_without_workers
from worker.cli.requests import refuse_unrendered
from worker.cli.rollout_watching import RolloutView, look, watch_rollout
from worker.cli.session import Session
from worker.models.rollout import RolloutRequest
from worker.starting.rollouts import StartedRollout, refuse_unusable, start_rollout


async def roll_out(session: Session, request: RolloutRequest, how: How) -> int:
    """Deploy many routers; return the exit code.

    Raises:
        UsageError: When the request cannot be used.
        CommandError: When nobody serves the tenant, or another rollout of the change is under way.
    """
    tenant = session.tenants.tenant(request.tenant)
    refuse_unusable(tenant, request)
    for target in request.targets:
        refuse_unrendered(target.router, request.template, target.variables, request.platform)
    client = await session.client(session.tenants.namespace_of(tenant))
    await check_may_start(client, session.tenants, tenant)
    if how.is_checking_workers:
        await refuse_without_workers(client, tenant)
    started = await start_rollout(client, tenant, request)
    workflow_id = started.handle.id
    view = RolloutView(workflow_id, tenant.name, request.change_id, total=len(request.targets))
    if not started.is_new:
        await _refuse_other(client, started, request)
        session.output.say(f"{workflow_id} is under way already; following it")
    if not how.is_waiting:
        session.output.say(f"{workflow_id} started; `routers watch {workflow_id}` shows it")
        if session.output.is_json:
            session.output.emit((await look(started.handle, view)).to_dict())
        return Exit.GOOD
    return (await watch_rollout(session.output, started.handle, view)).exit_code


async def _refuse_other(client: Client, started: StartedRollout, request: RolloutRequest) -> None:
    """Refuse to take an open rollout for one of the same change that says something else.

    Raises:
        CommandError: Of type `RolloutBusy`.
    """
    there = await request_of(client, started.handle.id)
    mine = replace(request, requested_by=there.requested_by, carried=there.carried)
    if there == mine:
        return
    raise CommandError(
        f"{request.change_id}: is under way with other contents; wait for it (routers watch {started.handle.id}),"
        f" undo it (routers cancel {started.handle.id}) or choose another --change",
        "RolloutBusy",
    )


async def request_of(client: Client, workflow_id: str) -> RolloutRequest:
    """Return what a rollout was asked for, of its latest run, from its history.

    Raises:
        RPCError: When the server does not answer.
        LookupError: When the server has a history without a beginning, which it never has.
    """
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    converter = client.data_converter.with_context(context)
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events(page_size=1):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        request: RolloutRequest = (await converter.decode(payloads, [RolloutRequest]))[0]
        return request
    raise LookupError(workflow_id)
