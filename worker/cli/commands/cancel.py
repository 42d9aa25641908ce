"""`routers cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import Common, FileOption, JsonOption, TargetArgument, TenantOption

WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Return when every router is in a known state.")
]
FinishOption = Annotated[
    bool,
    typer.Option("--finish-running", help="Of a rollout: start no more, and let what runs come to its end."),
]


def cancel(
    context: typer.Context,
    target: TargetArgument,
    is_waiting: WaitOption = True,
    is_finishing: FinishOption = False,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Undo a deployment, or a rollout's deployments that run now; what has ended stays as it is."""
    from worker.cli.actions import control
    from worker.cli.requests import login_name
    from worker.cli.session import perform
    from worker.models.rollout import AbortOrder

    common = Common.of(context, tenant, is_json, tenants_file)
    if is_finishing:
        order = AbortOrder(login_name())
        return perform(common, lambda session: control.abort(session, target, order))
    return perform(common, lambda session: control.cancel(session, target, is_waiting=is_waiting))
