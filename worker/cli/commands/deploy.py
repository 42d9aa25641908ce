"""`routers deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import Common, FileOption, JsonOption, TenantOption, complete_router
from worker.models.deployment import ApprovalPolicy, DeploymentRequest, OnTimeout
from worker.tenancy import Urgency

TemplateOption = Annotated[
    Path, typer.Option("--template", metavar="FILE", help="Desired configuration, with $name for variables.")
]
ChangeOption = Annotated[
    str, typer.Option("--change", metavar="ID", help="Your name for the change, for example a ticket.")
]
VariablesOption = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable; repeatable.")
]
PlatformOption = Annotated[
    str | None,
    typer.Option(
        "--platform",
        metavar="NAME",
        help="Default: simulated; for `deploy` the inventory's, where it has the router.",
    ),
]
ChecksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--check", metavar="KIND=TARGET", help="What must hold afterwards, e.g. route=10.0.0.0/8; repeatable."
    ),
]
ApprovalOption = Annotated[
    bool, typer.Option("--approval", help="Wait for `routers approve` before the router is told anything.")
]
ApprovalTimeoutOption = Annotated[
    float, typer.Option("--approval-timeout", metavar="SECONDS", help="How long to wait for it.")
]
OnTimeoutOption = Annotated[OnTimeout, typer.Option("--on-timeout", help="What silence means.")]
RequestedByOption = Annotated[
    str | None,
    typer.Option("--requested-by", metavar="NAME", help="Who may not approve it; default: your login."),
]
ConfirmOption = Annotated[
    float,
    typer.Option(
        "--confirm-seconds",
        metavar="SECONDS",
        help="The router undoes it by itself unless confirmed by then.",
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")]
CheckWorkersOption = Annotated[
    bool,
    typer.Option("--check-workers/--no-check-workers", help="Refuse when nobody serves the tenant's queue."),
]


def deploy(
    context: typer.Context,
    router: Annotated[str, typer.Argument(metavar="ROUTER", autocompletion=complete_router)],
    template: TemplateOption,
    change: ChangeOption,
    variables: VariablesOption = None,
    site: Annotated[str | None, typer.Option("--site", metavar="NAME", help="For search only.")] = None,
    platform: PlatformOption = None,
    checks: ChecksOption = None,
    is_approved_first: ApprovalOption = False,
    approval_timeout: ApprovalTimeoutOption = ApprovalPolicy.timeout_seconds,
    on_timeout: OnTimeoutOption = OnTimeout.REFUSE,
    urgency: Annotated[
        Urgency | None, typer.Option("--urgency", help="Default: as the tenant's record says.")
    ] = None,
    expect: Annotated[
        str, typer.Option("--expect", metavar="REVISION", help="Refuse unless the router runs this revision.")
    ] = "",
    requested_by: RequestedByOption = None,
    confirm_seconds: ConfirmOption = DeploymentRequest.confirm_seconds,
    is_waiting: WaitOption = True,
    is_checking_workers: CheckWorkersOption = True,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> int:
    """Deploy one configuration to one router, and undo it if the router does not do what it should."""
    from worker.cli import requests
    from worker.cli.actions.deploy import How
    from worker.cli.actions.deploy import deploy as start
    from worker.cli.session import Session, perform

    def request(session: Session) -> DeploymentRequest:
        owner = session.tenant()
        its_site, its_platform = requests.place(owner, router, site, platform)
        return DeploymentRequest(
            tenant=owner.name,
            router=router,
            site=its_site,
            change_id=change,
            template=requests.read_text("--template", template),
            variables=requests.parse_variables(variables or ()),
            platform=its_platform,
            checks=requests.parse_checks(checks or ()),
            approval=ApprovalPolicy(approval_timeout, on_timeout) if is_approved_first else None,
            requested_by=requests.login_name() if requested_by is None else requested_by,
            expected_revision=expect,
            confirm_seconds=confirm_seconds,
        )

    how = How(urgency, is_waiting, is_checking_workers)
    common = Common.of(context, tenant, is_json, tenants_file)
    return perform(common, lambda session: start(session, request(session), how))
