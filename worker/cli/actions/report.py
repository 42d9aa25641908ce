"""Watches or reports one deployment or rollout."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from worker.cli.following import read, trouble
from worker.cli.output import Output, plain
from worker.cli.record import Record
from worker.cli.rollout_watching import RolloutView, look, show_rollout, watch_rollout
from worker.cli.session import Found, Session
from worker.cli.watching import diff, show_ending, watch_deployment
from worker.starting.rollouts import RolloutHandle
from worker.workflows.fleet_rollout import FleetRollout


async def watch(session: Session, target: str) -> int:
    """Follow one to its end; return the exit code that its end means."""
    found = await session.find(target)
    if found.is_rollout:
        view = await watch_rollout(session.output, handle_of(found), view_of(found), is_streaming=True)
        return view.exit_code
    description = found.description
    record = await watch_deployment(
        session.output, found.client, description.id, description.run_id, is_streaming=True
    )
    return record.exit_code


async def report(session: Session, target: str) -> int:
    """Report one as it is now; return the exit code that its end means, 0 while it is open."""
    found = await session.find(target)
    if found.is_rollout:
        view = await look(handle_of(found), view_of(found))
        show_rollout(session.output, view)
        session.output.emit(view.to_dict())
        return view.exit_code
    record = await read(found.client, found.description.id, found.description.run_id)
    problem = "" if record.ended else await trouble(found.client, record.workflow_id, record.run_id)
    show_record(session.output, record, problem)
    session.output.emit({**record.to_dict(), "trouble": problem})
    return record.exit_code


def handle_of(found: Found) -> RolloutHandle:
    """Return the handle of a rollout, through all its runs."""
    return found.client.get_workflow_handle_for(FleetRollout.run, found.description.id)


def view_of(found: Found) -> RolloutView:
    """Return what the description alone says of a rollout."""
    attributes = found.description.search_attributes

    def attribute(name: str) -> str:
        return str(attributes.get(name, [""])[0])

    return RolloutView(
        workflow_id=found.description.id,
        tenant=found.tenant.name,
        change_id=attribute("ChangeId"),
        phase=attribute("Phase"),
    )


def show_record(output: Output, record: Record, problem: str) -> None:
    """Write a deployment's report for people."""
    request, decision = record.request, record.decision
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = [("workflow", record.workflow_id), ("run", record.run_id)]
    if request is not None:
        rows += [("router", f"{request.router} ({request.platform})"), ("tenant", request.tenant)]
        rows += [("site", request.site), ("change", request.change_id)]
        rows += [("requested by", request.requested_by), ("checks asked", _join(request.checks))]
    if decision is not None:
        verb = "approved" if decision.is_approved else "rejected"
        rows += [("decision", f"{verb} by {decision.by} {decision.comment}".rstrip())]
    for previous, step in zip((None, *record.steps), record.steps, strict=False):
        since = (step.at - (previous.at if previous else record.started or step.at)).total_seconds()
        rows += [(step.phase, f"{step.at:%H:%M:%S.%f}"[:-3] + f"  +{since:.1f} s")]
    rows += [("trouble", problem)]
    for name, value in rows:
        if value:
            facts.add_row(Text(name, "dim"), Text(plain(value)))
    output.show(facts)
    if record.commands:
        output.show(diff(record.commands))
    if record.ended is None:
        output.say(f"open, {record.phase or 'waiting for a worker'}", style="yellow")
    else:
        show_ending(output, record)


def _join(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)
