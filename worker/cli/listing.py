"""Deployments and rollouts by search attributes, through visibility."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey

from worker.cli.output import plain
from worker.cli.session import DEPLOYMENT, ROLLOUT
from worker.errors import UsageError

_PAGE = 200
_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_KINDS = {DEPLOYMENT: "deployment", ROLLOUT: "rollout"}


@dataclass(frozen=True)
class Filter:
    """What to list; an empty field does not matter."""

    tenant: str = ""
    phase: str = ""
    change: str = ""
    router: str = ""
    site: str = ""
    is_open: bool | None = None
    since: datetime | None = None

    def query(self) -> str:
        """Return the query in Temporal's list filter language.

        Raises:
            UsageError: When a value holds a quote, for which the language has no reliable escape.
        """
        attributes = {
            "Tenant": self.tenant,
            "Phase": self.phase,
            "ChangeId": self.change,
            "Router": self.router,
            "Site": self.site,
        }
        terms = [f"WorkflowType IN ('{DEPLOYMENT}', '{ROLLOUT}')"]
        for name, value in attributes.items():
            if any(char in value for char in "'\"\\`"):
                raise UsageError(f"{value!r}: must not contain quotes or backslashes")
            if value:
                terms.append(f"{name} = '{value}'")
        if self.is_open is not None:
            terms.append(f"ExecutionStatus {'=' if self.is_open else '!='} 'Running'")
        if self.since is not None:
            terms.append(f"StartTime >= '{self.since.isoformat()}'")
        return " AND ".join(terms)


@dataclass(frozen=True)
class Row:
    """One deployment or rollout, as visibility has it, perhaps a second late."""

    kind: str
    workflow_id: str
    run_id: str
    namespace: str
    tenant: str
    router: str
    site: str
    change_id: str
    phase: str
    is_open: bool
    started: datetime
    ended: datetime | None

    @property
    def seconds(self) -> float:
        """From start to end, or to now."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "kind": self.kind,
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
            "namespace": self.namespace,
            "tenant": self.tenant,
            "router": self.router,
            "site": self.site,
            "change_id": self.change_id,
            "phase": self.phase,
            "is_open": self.is_open,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "seconds": round(self.seconds, 3),
        }


def parse_age(option: str, text: str) -> timedelta:
    """Return a duration such as 90s, 15m, 24h or 7d.

    Raises:
        UsageError: When it is anything else.
    """
    match = _AGE.fullmatch(text)
    if match is None or len(match[1]) > 6:  # a million days overflow a date
        raise UsageError(f"{option}: {text!r} must be a number and one of s, m, h, d, for example 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


async def rows(clients: Sequence[Client], wanted: Filter, limit: int | None = None) -> AsyncIterator[Row]:
    """Yield what matches, newest first within each namespace, page by page."""
    left = limit
    for client in clients:
        async for execution in client.list_workflows(wanted.query(), page_size=_PAGE, limit=left):
            yield _row(client.namespace, execution)
            left = None if left is None else left - 1
        if left == 0:
            return


def _row(namespace: str, execution: WorkflowExecution) -> Row:
    def attribute(name: str) -> str:
        return execution.typed_search_attributes.get(SearchAttributeKey.for_keyword(name)) or ""

    return Row(
        kind=_KINDS.get(execution.workflow_type, execution.workflow_type),
        workflow_id=execution.id,
        run_id=execution.run_id,
        namespace=namespace,
        tenant=attribute("Tenant"),
        router=attribute("Router"),
        site=attribute("Site"),
        change_id=attribute("ChangeId"),
        phase=attribute("Phase"),
        is_open=execution.close_time is None,
        started=execution.start_time,
        ended=execution.close_time,
    )


_COLOURS = {
    "deployed": "green",
    "unchanged": "green",
    "completed": "green",
    "refused": "red",
    "rolled-back": "red",
    "rollback-failed": "bold red",
    "aborted": "red",
    "budget-spent": "red",
    "window-closed": "red",
}


def table(title: str, listed: Sequence[Row]) -> Table:
    """Return the rows as a table for people."""
    result = Table(title=title, title_justify="left")
    for heading in ("Workflow", "Tenant", "Site", "Change", "Phase", "Started (UTC)"):
        result.add_column(heading, no_wrap=heading in {"Phase", "Started (UTC)"}, overflow="fold")
    result.add_column("Seconds", justify="right")
    for row in listed:
        phase = row.phase or "waiting for a worker"
        is_cut = not row.is_open and row.phase not in _COLOURS
        colour = "red" if is_cut else _COLOURS.get(row.phase, "yellow")
        result.add_row(
            *(Text(plain(text)) for text in (row.workflow_id, row.tenant, row.site, row.change_id)),
            Text(f"{phase}{', closed' if is_cut else ''}", colour),
            f"{row.started:%m-%d %H:%M:%S}",
            f"{row.seconds:.0f}",
        )
    return result
