"""Lists deployments and rollouts, once or as long as any is open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

from rich.live import Live
from temporalio.client import Client
from temporalio.service import RPCError

from worker.cli.exits import Exit
from worker.cli.listing import Filter, Row, rows, table
from worker.cli.output import Output
from worker.cli.session import Session
from worker.client import is_transient

_LOOK_SECONDS = 1.0
_WATCHED_MAX = 500
"""Rows of a live table; no terminal shows more."""


async def list_workflows(session: Session, wanted: Filter, limit: int) -> int:
    """List what matches; return the exit code.

    Raises:
        UsageError: When a value cannot be asked for.
        TenancyError: When the tenant is not known.
    """
    wanted, clients = await _scope(session, wanted)
    listed: list[Row] = []
    # One more than shown tells whether there are more.
    async for row in rows(clients, wanted, limit + 1):
        if len(listed) < limit:
            session.output.emit(row.to_dict())
        listed.append(row)
    if listed and not session.output.is_json:
        session.output.show(table("Deployments and rollouts", listed[:limit]))
    if len(listed) > limit:
        session.output.hint(f"more than {limit}; narrow it down or raise --limit")
    elif not listed:
        session.output.say("none")
    return Exit.GOOD


async def watch_open(session: Session) -> int:
    """Show the tenant's open deployments and rollouts until none is open; return the exit code.

    Raises:
        TenancyError: When the tenant is not known.
        RPCError: When the server refuses.
    """
    tenant = session.tenant()
    wanted, clients = await _scope(session, Filter(tenant=tenant.name, is_open=True))
    output, known = session.output, dict[str, Row]()
    with Live(table("", []), console=output.console) if output.is_live else nullcontext() as live:
        while True:
            try:
                now = {row.run_id: row async for row in rows(clients, wanted, _WATCHED_MAX)}
            except RPCError as error:
                if not is_transient(error):
                    raise
            else:
                if live is not None:
                    live.update(table(f"Open deployments and rollouts of {tenant.name}", [*now.values()]))
                else:
                    await _show_changes(output, clients, known, now)
                known = now
                if not now:
                    break
            await asyncio.sleep(_LOOK_SECONDS)
    output.say(f"nothing of {tenant.name} is open")
    return Exit.GOOD


async def _show_changes(
    output: Output, clients: tuple[Client, ...], known: Mapping[str, Row], now: Mapping[str, Row]
) -> None:
    changed = [row for run, row in now.items() if run not in known or known[run].phase != row.phase]
    changed += [await _closed(clients, known[run]) for run in known.keys() - now.keys()]
    for row in changed:
        output.emit(row.to_dict())
        output.say(f"{row.seconds:7.1f} s  {row.workflow_id}  {row.phase or 'waiting for a worker'}")


async def _closed(clients: tuple[Client, ...], row: Row) -> Row:
    """Return a row that was open a moment ago, with the phase in which it ended."""
    client = next(client for client in clients if client.namespace == row.namespace)
    description = await client.get_workflow_handle(row.workflow_id, run_id=row.run_id).describe()
    phases = description.search_attributes.get("Phase", [row.phase])
    return replace(row, is_open=False, ended=description.close_time, phase=str(phases[0]))


async def _scope(session: Session, wanted: Filter) -> tuple[Filter, tuple[Client, ...]]:
    """Return the filter and where to ask: the tenant's namespaces, or everybody's."""
    owners = (session.tenant(),) if session.tenant_is_given else session.tenants.tenants
    names = dict.fromkeys(name for owner in owners for name in session.namespaces_of(owner))
    wanted.query()
    clients = [await session.client(name) for name in names]
    tenant = session.tenant().name if session.tenant_is_given else ""
    return replace(wanted, tenant=tenant), tuple(clients)
