"""`routers rollout`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.commands.deploy import (
    ApprovalOption,
    ApprovalTimeoutOption,
    ChangeOption,
    ChecksOption,
    CheckWorkersOption,
    ConfirmOption,
    OnTimeoutOption,
    PlatformOption,
    RequestedByOption,
    TemplateOption,
    VariablesOption,
    WaitOption,
)
from worker.cli.options import Common, FileOption, JsonOption, TenantOption
from worker.models.deployment import ApprovalPolicy, OnTimeout
from worker.models.rollout import RolloutRequest
from worker.tenancy import Urgency

TargetsOption = Annotated[
    Path,
    typer.Option(
        "--targets",
        metavar="FILE",
        help="Routers: CSV with a column router, optionally site, every other column a variable; or JSON,"
        ' a list of {"router", "site", "variables"}.',
    ),
]
CanaryOption = Annotated[
    int, typer.Option("--canary", help="Routers deployed first; one that fails ends it.")
]
BatchOption = Annotated[int, typer.Option("--batch", help="Routers between two soaks.")]
ParallelismOption = Annotated[int, typer.Option("--parallelism", help="Deployments at a time.")]
BudgetOption = Annotated[int, typer.Option("--error-budget", help="Failures that do not end the rollout.")]
SoakOption = Annotated[
    float, typer.Option("--soak", metavar="SECONDS", help="Wait after the canaries and each batch.")
]
PauseOption = Annotated[bool, typer.Option("--pause-after-canary", help="Go on only after `routers resume`.")]


def rollout(
    context: typer.Context,
    template: TemplateOption,
    targets: TargetsOption,
    change: ChangeOption,
    variables: VariablesOption = None,
    canaries: CanaryOption = RolloutRequest.canaries,
    batch: BatchOption = RolloutRequest.batch_size,
    parallelism: ParallelismOption = RolloutRequest.parallelism,
    error_budget: BudgetOption = RolloutRequest.error_budget,
    soak: SoakOption = RolloutRequest.soak_seconds,
    is_paused: PauseOption = False,
    platform: PlatformOption = None,
    checks: ChecksOption = None,
    is_approved_first: ApprovalOption = False,
    approval_timeout: ApprovalTimeoutOption = ApprovalPolicy.timeout_seconds,
    on_timeout: OnTimeoutOption = OnTimeout.REFUSE,
    urgency: Annotated[Urgency, typer.Option("--urgency")] = RolloutRequest.urgency,
    requested_by: RequestedByOption = None,
    confirm_seconds: ConfirmOption = RolloutRequest.confirm_seconds,
    is_waiting: WaitOption = True,
    is_checking_workers: CheckWorkersOption = True,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Deploy one configuration to many routers: canaries, then batches, until the error budget is spent."""
    from worker.cli import requests
    from worker.cli.actions.deploy import How
    from worker.cli.actions.rollout import roll_out
    from worker.cli.session import Session, perform
    from worker.cli.targets import read_targets

    def request(session: Session) -> RolloutRequest:
        return RolloutRequest(
            tenant=session.tenant().name,
            change_id=change,
            template=requests.read_text("--template", template),
            targets=read_targets(targets, requests.parse_variables(variables or ())),
            platform=platform or RolloutRequest.platform,
            checks=requests.parse_checks(checks or ()),
            approval=ApprovalPolicy(approval_timeout, on_timeout) if is_approved_first else None,
            canaries=canaries,
            batch_size=batch,
            parallelism=parallelism,
            error_budget=error_budget,
            soak_seconds=soak,
            is_paused_after_canaries=is_paused,
            requested_by=requests.login_name() if requested_by is None else requested_by,
            urgency=urgency,
            confirm_seconds=confirm_seconds,
        )

    how = How(None, is_waiting, is_checking_workers)
    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: roll_out(session, request(session), how))
