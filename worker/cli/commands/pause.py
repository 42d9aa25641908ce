"""`routers pause` and `routers resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import Common, FileOption, JsonOption, TenantOption

ChangeArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A rollout: change of --tenant, or a whole workflow id.")
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who wants it; default: your login.")
]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")]


def pause(
    context: typer.Context,
    target: ChangeArgument,
    by: ByOption = None,
    comment: CommentOption = "",
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Let a rollout start no more deployments; those that run come to their end."""
    from worker.cli.actions import control
    from worker.cli.requests import login_name
    from worker.cli.session import perform
    from worker.models.rollout import Order

    order = Order(login_name() if by is None else by, comment)
    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: control.pause(session, target, order))


def resume(
    context: typer.Context,
    target: ChangeArgument,
    by: ByOption = None,
    comment: CommentOption = "",
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", help="Deployments at a time from now on, paused or not.")
    ] = None,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Let a paused rollout go on."""
    from worker.cli.actions import control
    from worker.cli.requests import login_name
    from worker.cli.session import perform
    from worker.models.rollout import Order

    order = Order(login_name() if by is None else by, comment)
    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: control.resume(session, target, order, parallelism))
