"""The demo's command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import aiohttp
from rich.console import Console
from temporalio.service import RPCError

from worker.client import connect
from worker.demo.deployments import DEFAULT_TENANTS, Deployment, plan_demo
from worker.demo.display import display
from worker.demo.embedded import EmbeddedError, Target, embedded
from worker.demo.watch import State, watch
from worker.errors import UsageError
from worker.namespaces import NamespaceError
from worker.settings import is_http_url
from worker.simulator.client import SimulatorClient, SimulatorError
from worker.tenancy import TenancyError, TenantsFile

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_LATENCY_SECONDS = 0.4
"""Of each answer of a router: slow enough to watch, so that a deployment takes about three seconds."""


def main() -> int:
    """Run the demo; return the process's exit code."""
    options = _parser().parse_args()
    try:
        return asyncio.run(_run(options))
    except (UsageError, TenancyError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except (EmbeddedError, NamespaceError, SimulatorError, RPCError, RuntimeError, TimeoutError) as error:
        sys.stderr.write(f"{error or 'the deployments did not end in time'}\n")
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker.demo",
        description="Six simultaneous deployments of three tenants, on the cluster that TEMPORAL_ADDRESS names"
        " or on an embedded dev server. Exit code 0 only if all end deployed and applied exactly once.",
    )
    parser.add_argument("--tenant", help="only this tenant's deployments")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end instead of a table")
    parser.add_argument(
        "--keep", action="store_true", help="keep the dev server up for looking, until Ctrl-C"
    )
    parser.add_argument(
        "--ui-port", type=int, help="port of the dev server's UI; default: 8233, or a free one"
    )
    parser.add_argument("--ui-url", help="address of the cluster's UI, to print")
    parser.add_argument(
        "--timeout-seconds",
        type=float,
        default=300,
        help="how long to wait for the deployments; default: 300",
    )
    return parser


async def _run(options: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    tenants_file = os.environ.get("ROUTERFLEET_TENANTS_FILE")
    tenants = TenantsFile.load(Path(tenants_file)) if tenants_file else DEFAULT_TENANTS
    # Letters and digits only: it ends the routers' names.
    deployments = plan_demo(tenants, secrets.token_hex(2), options.tenant)
    console = Console(quiet=options.json)
    if os.environ.get("TEMPORAL_ADDRESS"):
        where = Target(os.environ, _routers_url(), options.ui_url or "")
        return await _deploy(where, tenants, deployments, console, options)
    console.print("Starting Temporal's dev server, the simulated routers and a worker ...")
    async with embedded(tenants, options.ui_port) as where:
        code = await _deploy(where, tenants, deployments, console, options)
        if options.keep:
            console.print(f"Kept up for looking: {where.ui_url}  (Ctrl-C ends it)")
            await asyncio.Event().wait()
    return code


async def _deploy(
    where: Target,
    tenants: TenantsFile,
    deployments: tuple[Deployment, ...],
    console: Console,
    options: argparse.Namespace,
) -> int:
    client = await connect(where.environment)
    if where.ui_url:
        console.print(f"UI: {where.ui_url}")
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        routers = SimulatorClient(session, where.routers_url)
        for item in deployments:
            await routers.put_router(
                item.request.router,
                item.request.tenant,
                site=item.request.site,
                latency_seconds=_LATENCY_SECONDS,
            )
        with display(console, []) as show:
            states = await asyncio.wait_for(
                watch(client, tenants, deployments, routers, show), options.timeout_seconds
            )
    return _summarise(states, time.monotonic() - began, where, console, is_json=options.json)


def _summarise(states: list[State], seconds: float, where: Target, console: Console, *, is_json: bool) -> int:
    """Report the verdict; return the exit code."""
    good = sum(state.is_good for state in states)
    verdict = "PASS" if good == len(states) else "FAIL"
    if is_json:
        report = {
            "verdict": verdict,
            "completed": good,
            "deployments": [asdict(state) for state in states],
            "seconds": round(seconds, 3),
            "ui_url": where.ui_url,
        }
        sys.stdout.write(json.dumps(report) + "\n")
    for state in states:
        if state.failure:
            console.print(f"{state.workflow_id}: {state.failure}", highlight=False, soft_wrap=True)
        elif not state.is_good:
            console.print(
                f"{state.workflow_id}: the ledger shows {state.ledger}", highlight=False, soft_wrap=True
            )
    console.print(
        f"{verdict}: {good} of {len(states)} deployments completed, each applied exactly once, in {seconds:.1f} s"
        if verdict == "PASS"
        else f"{verdict}: {good} of {len(states)} deployments completed and applied exactly once"
    )
    return EXIT_OK if verdict == "PASS" else EXIT_FAILED


def _routers_url() -> str:
    value = os.environ.get("ROUTERFLEET_ROUTERS_URL", "")
    if not is_http_url(value):
        raise UsageError(
            f"ROUTERFLEET_ROUTERS_URL: {value!r} must be http://HOST:PORT of the simulated routers"
        )
    return value
