"""The commands together, and the options that may stand before a command's name."""

from __future__ import annotations

import typer

from worker.cli.commands.approve import approve, reject
from worker.cli.commands.cancel import cancel
from worker.cli.commands.deploy import deploy
from worker.cli.commands.list import list_
from worker.cli.commands.pause import pause, resume
from worker.cli.commands.rollout import rollout
from worker.cli.commands.watch import report, watch
from worker.cli.commands.windows import app as windows
from worker.cli.exits import EPILOG
from worker.cli.options import Common, FileOption, JsonOption, TenantOption

app = typer.Typer(
    help="Deploy configuration to network routers, and watch it. TEMPORAL_ADDRESS and the other TEMPORAL_*"
    " variables say on which cluster.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def common(
    context: typer.Context,
    tenant: TenantOption = None,
    is_json: JsonOption = False,
    tenants_file: FileOption = None,
) -> None:
    """Keep what stands before the command's name."""
    context.obj = Common(tenant, is_json, tenants_file)


for _command in (deploy, rollout, watch, approve, reject, pause, resume, cancel, report):
    app.command(epilog=EPILOG)(_command)
app.command("list", epilog=EPILOG)(list_)
app.add_typer(windows, name="windows")
