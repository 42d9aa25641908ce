"""`routers approve` and `routers reject`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import Common, FileOption, JsonOption, TargetArgument, TenantOption
from worker.models.deployment import Decision

ByOption = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who decides; not who asked for the change.")
]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")]


def approve(
    context: typer.Context,
    target: TargetArgument,
    by: ByOption,
    comment: CommentOption = "",
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Let a deployment that waits for approval go on."""
    return _decide(Common.of(context, tenant, is_json, tenants_file), target, Decision(by, True, comment))


def reject(
    context: typer.Context,
    target: TargetArgument,
    by: ByOption,
    comment: CommentOption = "",
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Refuse a deployment that waits for approval; the router is not touched."""
    return _decide(Common.of(context, tenant, is_json, tenants_file), target, Decision(by, False, comment))


def _decide(common: Common, target: str, decision: Decision) -> int:
    from worker.cli.actions.control import decide
    from worker.cli.session import perform

    return perform(common, lambda session: decide(session, target, decision))
