"""`routers watch` and `routers report`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import (
    Common,
    FileOption,
    JsonOption,
    TargetArgument,
    TenantOption,
    complete_router,
)

MaybeTarget = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]",
        help="As for `report`; without it all that --tenant has open.",
        autocompletion=complete_router,
    ),
]


def watch(
    context: typer.Context,
    target: MaybeTarget = None,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Follow a deployment, a rollout, or all that a tenant has open; --json writes one line per change."""
    from worker.cli.actions.listing import watch_open
    from worker.cli.actions.report import watch as watch_one
    from worker.cli.session import perform

    common = Common.of(context, tenant, is_json, tenants_file)
    if target is None:
        return perform(common, watch_open)
    return perform(common, lambda session: watch_one(session, target))


def report(
    context: typer.Context,
    target: TargetArgument,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Report a deployment or rollout: phases with times, commands, checks, decision, failure."""
    from worker.cli.actions.report import report as report_one
    from worker.cli.session import perform

    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: report_one(session, target))
