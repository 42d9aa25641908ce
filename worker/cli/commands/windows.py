"""`routers windows`: list, create, pause, resume and delete."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.commands.deploy import (
    ChangeOption,
    ChecksOption,
    PlatformOption,
    RequestedByOption,
    TemplateOption,
    VariablesOption,
)
from worker.cli.commands.rollout import (
    BatchOption,
    BudgetOption,
    CanaryOption,
    ParallelismOption,
    SoakOption,
    TargetsOption,
)
from worker.cli.exits import EPILOG
from worker.cli.options import Common, FileOption, JsonOption, TenantOption
from worker.models.rollout import RolloutRequest

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A maintenance window of --tenant.")]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")]
DayOption = Annotated[
    list[str] | None,
    typer.Option("--day", metavar="NAME", help="For example sunday; repeatable; default: all."),
]

app = typer.Typer(
    help="Maintenance windows: when a tenant's rollouts start, and by when they end.",
    epilog=EPILOG,
    no_args_is_help=True,
)


@app.command("list", epilog=EPILOG)
def list_(
    context: typer.Context,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """List the tenant's windows with their next openings; --json writes one line for each."""
    from worker.cli.actions import windows
    from worker.cli.session import perform

    return perform(Common.of(context, tenant, is_json, tenants_file), windows.list_all)


@app.command(epilog=EPILOG)
def create(
    context: typer.Context,
    name: NameArgument,
    template: TemplateOption,
    targets: TargetsOption,
    change: ChangeOption,
    time_zone: Annotated[str, typer.Option("--time-zone", metavar="ZONE", help="For example Europe/Madrid.")],
    start: Annotated[str, typer.Option("--start", metavar="HH:MM", help="Local time.")],
    minutes: Annotated[int, typer.Option("--minutes", help="How long it is open.")],
    days: DayOption = None,
    is_replacing: Annotated[bool, typer.Option("--replace", help="Change the window of that name.")] = False,
    variables: VariablesOption = None,
    canaries: CanaryOption = RolloutRequest.canaries,
    batch: BatchOption = RolloutRequest.batch_size,
    parallelism: ParallelismOption = RolloutRequest.parallelism,
    error_budget: BudgetOption = RolloutRequest.error_budget,
    soak: SoakOption = RolloutRequest.soak_seconds,
    platform: PlatformOption = None,
    checks: ChecksOption = None,
    requested_by: RequestedByOption = None,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Roll out a change whenever the window opens; routers that have it already are left alone."""
    from worker.cli.actions import windows
    from worker.cli.requests import login_name, parse_checks, parse_variables, read_text
    from worker.cli.session import Session, perform
    from worker.cli.targets import read_targets

    def request(session: Session) -> RolloutRequest:
        return RolloutRequest(
            tenant=session.tenant().name,
            change_id=change,
            template=read_text("--template", template),
            targets=read_targets(targets, parse_variables(variables or ())),
            platform=platform or RolloutRequest.platform,
            checks=parse_checks(checks or ()),
            canaries=canaries,
            batch_size=batch,
            parallelism=parallelism,
            error_budget=error_budget,
            soak_seconds=soak,
            requested_by=login_name() if requested_by is None else requested_by,
        )

    common = Common.of(context, tenant, is_json, tenants_file)
    window = windows.window_of(name, time_zone, start, minutes, days or ())
    return perform(
        common, lambda session: windows.create(session, window, request(session), is_replacing=is_replacing)
    )


@app.command(epilog=EPILOG)
def pause(
    context: typer.Context,
    name: NameArgument,
    comment: CommentOption = "",
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Let the window start nothing until resumed; a rollout that runs is not touched."""
    from worker.cli.actions import windows
    from worker.cli.session import perform

    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: windows.pause(session, name, comment))


@app.command(epilog=EPILOG)
def resume(
    context: typer.Context,
    name: NameArgument,
    comment: CommentOption = "",
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Let the window start again from its next opening on; what was missed stays missed."""
    from worker.cli.actions import windows
    from worker.cli.session import perform

    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: windows.resume(session, name, comment))


@app.command(epilog=EPILOG)
def delete(
    context: typer.Context,
    name: NameArgument,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Remove the window; a rollout that runs is not touched."""
    from worker.cli.actions import windows
    from worker.cli.session import perform

    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: windows.delete(session, name))
