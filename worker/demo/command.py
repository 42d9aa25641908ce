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

from worker.administration.namespaces import NamespaceError
from worker.client import connect
from worker.demo.deployments import DEFAULT_TENANTS, Deployment, plan_demo, plan_frr
from worker.demo.display import display
from worker.demo.embedded import EmbeddedError, Target, embedded
from worker.demo.fleets import Fleet, FrrFleet, SimulatedFleet
from worker.demo.proof import Proof, prove
from worker.demo.watch import State, watch
from worker.errors import UsageError
from worker.routers.credentials import CredentialStore
from worker.routers.frr import FrrDriver
from worker.routers.inventory import Inventory
from worker.settings import is_http_url
from worker.simulator.client import SimulatorClient, SimulatorError
from worker.tenancy import TenancyError, TenantsFile

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_SIMULATED, _FRR = "simulated", "frr"
_INVENTORY, _CREDENTIALS = "ROUTERFLEET_INVENTORY_FILE", "ROUTERFLEET_CREDENTIALS_FOLDER"


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
    parser.add_argument(
        "--routers",
        choices=(_SIMULATED, _FRR),
        default=_SIMULATED,
        help=f"frr: real routers, of {_INVENTORY} and {_CREDENTIALS}; then a wrong change is rolled back as well",
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
    run = secrets.token_hex(2)
    real = _frr_fleet() if options.routers == _FRR else None
    if real is None:
        deployments = plan_demo(tenants, run, options.tenant)
    else:
        deployments = plan_frr(tenants, real.inventory, run, options.tenant)
    console = Console(quiet=options.json)
    if os.environ.get("TEMPORAL_ADDRESS"):
        where = Target(os.environ, "" if real else _routers_url(), options.ui_url or "")
        return await _deploy(where, tenants, deployments, real, console, options)
    console.print("Starting Temporal's dev server, the simulated routers and a worker ...")
    for_worker = {key: os.environ[key] for key in (_INVENTORY, _CREDENTIALS)} if real else {}
    async with embedded(tenants, options.ui_port, for_worker) as where:
        code = await _deploy(where, tenants, deployments, real, console, options)
        if options.keep:
            console.print(f"Kept up for looking: {where.ui_url}  (Ctrl-C ends it)")
            await asyncio.Event().wait()
    return code


async def _deploy(
    where: Target,
    tenants: TenantsFile,
    deployments: tuple[Deployment, ...],
    real: FrrFleet | None,
    console: Console,
    options: argparse.Namespace,
) -> int:
    client = await connect(where.environment)
    if where.ui_url:
        console.print(f"UI: {where.ui_url}")
    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        fleet: Fleet = real or SimulatedFleet(SimulatorClient(session, where.routers_url))
        await fleet.prepare(deployments)
        with display(console, []) as show:
            states = await asyncio.wait_for(
                watch(client, tenants, deployments, fleet, show), options.timeout_seconds
            )
    seconds, proof = time.monotonic() - began, None
    if real:
        proving = prove(client, tenants, deployments, real, console)
        proof = await asyncio.wait_for(proving, options.timeout_seconds)
    return _summarise(states, seconds, proof, where, console, is_json=options.json)


def _summarise(
    states: list[State],
    seconds: float,
    proof: Proof | None,
    where: Target,
    console: Console,
    *,
    is_json: bool,
) -> int:
    """Report the verdict; return the exit code."""
    good = sum(state.is_good for state in states)
    is_proven = proof is None or proof.is_good
    verdict = "PASS" if good == len(states) and is_proven else "FAIL"
    if is_json:
        report = {
            "verdict": verdict,
            "completed": good,
            "deployments": [asdict(state) for state in states],
            "seconds": round(seconds, 3),
            "ui_url": where.ui_url,
            **({"proof": asdict(proof)} if proof else {}),
        }
        sys.stdout.write(json.dumps(report) + "\n")
    for state in states:
        if not state.is_good:
            reason = state.failure or f"the ledger shows {state.ledger}"
            console.print(f"{state.workflow_id}: {reason}", highlight=False, soft_wrap=True)
    console.print(f"{verdict}: {_in_words(good, states, seconds, proof)}", soft_wrap=True)
    return EXIT_OK if verdict == "PASS" else EXIT_FAILED


def _in_words(good: int, states: list[State], seconds: float, proof: Proof | None) -> str:
    if good < len(states):
        return f"{good} of {len(states)} deployments completed and applied exactly once"
    said = f"{good} of {len(states)} deployments completed, each applied exactly once, in {seconds:.1f} s"
    if proof is None:
        return said
    if not proof.is_good:
        return f"{said}; but the wrong neighbour ended as {proof.wrong.phase}, or a session does not stand"
    return f"{said}; a wrong neighbour was rolled back and {len(proof.after)} sessions stand"


def _frr_fleet() -> FrrFleet:
    for key in (_INVENTORY, _CREDENTIALS):
        if not os.environ.get(key):
            raise UsageError(f"{key}: not set; --routers frr needs it (python -m lab routers env prints it)")
    inventory = Inventory.load(Path(os.environ[_INVENTORY]))
    return FrrFleet(FrrDriver(CredentialStore(Path(os.environ[_CREDENTIALS]))), inventory)


def _routers_url() -> str:
    value = os.environ.get("ROUTERFLEET_ROUTERS_URL", "")
    if not is_http_url(value):
        raise UsageError(
            f"ROUTERFLEET_ROUTERS_URL: {value!r} must be http://HOST:PORT of the simulated routers"
        )
    return value
