"""`routers list`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from worker.cli.options import Common, FileOption, JsonOption, TenantOption, complete_router

LIMIT = 100
"""Default: what a person reads; a machine says how many it wants."""


def list_(
    context: typer.Context,
    phase: Annotated[str, typer.Option("--phase", metavar="NAME", help="For example rolled-back.")] = "",
    change: Annotated[str, typer.Option("--change", metavar="ID")] = "",
    router: Annotated[str, typer.Option("--router", metavar="NAME", autocompletion=complete_router)] = "",
    site: Annotated[str, typer.Option("--site", metavar="NAME")] = "",
    is_open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Default: both.", show_default=False)
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="Started within 90s, 15m, 24h, 7d.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")] = LIMIT,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """List deployments and rollouts, of --tenant or of all; --json writes one line for each."""
    from worker.cli.actions.listing import list_workflows
    from worker.cli.listing import Filter, parse_age
    from worker.cli.session import perform

    start = datetime.now(UTC) - parse_age("--since", since) if since else None
    wanted = Filter("", phase, change, router, site, is_open, start)
    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: list_workflows(session, wanted, limit))
