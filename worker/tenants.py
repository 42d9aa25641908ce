"""`python -m worker.tenants apply|check|drain|move`: bring Temporal to what the tenants file says.

Exit codes: 0 as it should be, 1 Temporal cannot be reached or refuses, 2 bad input, 3 drift (`check`), open
deployments (`drain`) or steps still to do (`move`). Deletes nothing: a namespace that is no longer listed stays
and is reported. What is printed is a table on a terminal, plain lines elsewhere, one object with `--json`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from worker.administration import lanes, moves, namespaces, queues
from worker.administration.lanes import LaneState
from worker.administration.reconciliation import Drift, ReconciliationError, side_by_side
from worker.administration.reports import Report
from worker.client import connect, is_transient
from worker.errors import UsageError
from worker.leaving import leave
from worker.serving import pool_versions
from worker.tenancy import Strategy, TenancyError, Tenant, TenantsFile

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_DIFFERS = 0, 1, 2, 3

_STDIN = "-"

_LOOK_SECONDS = 1.0
"""Between two looks of a drain that waits; each counts against ten visibility queries per second."""


def main() -> int:
    """Run one command; return the process's exit code."""
    options = _parser().parse_args()
    report = Report(is_json=options.json)
    try:
        tenants = _tenants(options.file)
        return asyncio.run(_run(options, tenants, report))
    except (UsageError, TenancyError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except (ReconciliationError, RPCError, RuntimeError) as error:
        sys.stderr.write(f"{os.environ.get('TEMPORAL_ADDRESS')}: {error}\n")
        return EXIT_FAILED


async def _run(options: argparse.Namespace, tenants: TenantsFile, report: Report) -> int:
    match options.command:
        case "apply":
            return await apply(await connect(), tenants, report)
        case "check":
            return await check(await connect(), tenants, report)
        case "drain":
            return await drain(
                await _connect_for(tenants, options), tenants, options.tenant, report, options.wait
            )
        case _:
            to = Strategy(options.to)
            return await move(await _connect_for(tenants, options), tenants, options.tenant, to, report)


async def _connect_for(tenants: TenantsFile, options: argparse.Namespace) -> Client:
    # An unknown tenant is bad input, also where Temporal cannot be reached.
    tenants.tenant(options.tenant)
    return await connect()


async def apply(client: Client, tenants: TenantsFile, report: Report) -> int:
    """Create and correct what differs, wait until it can be used, and report what was done."""
    wanted, limits = tenants.all_namespaces(), queues.desired(tenants)
    with report.progress("namespaces", len(wanted)) as advance:
        done = await namespaces.reconcile_all(client, wanted, on_done=advance)
    with report.progress("queues", len(limits)) as advance:
        done += await queues.reconcile_all(client, limits, on_done=advance)
    with report.progress("pools", len(wanted)) as advance:
        done += await pool_versions.reconcile_all(client, tenants, on_done=advance)
    _report_drift(report, "done", done, await _left_over(client, tenants), "nothing to do")
    return EXIT_OK


async def check(client: Client, tenants: TenantsFile, report: Report) -> int:
    """Report what differs."""
    wanted, limits = tenants.all_namespaces(), queues.desired(tenants)
    with report.progress("namespaces", len(wanted)) as advance:
        there = await side_by_side(wanted, lambda item: namespaces.observe(client, item.name), advance)
    with report.progress("queues", len(limits)) as advance:
        set_now = await side_by_side(limits, lambda lane: queues.observe(client, lane), advance)
    kept = pool_versions.pools_with_versions(tenants)
    with report.progress("pools", len(wanted)) as advance:
        current = await side_by_side(
            wanted, lambda item: pool_versions.observe(client, item.name, kept), advance
        )
    drift = [item for pair in zip(wanted, there, strict=True) for item in namespaces.plan(*pair)]
    for (lane, limit), observed in zip(limits.items(), set_now, strict=True):
        drift += queues.plan(lane, limit, observed)
    for namespace, builds in zip(wanted, current, strict=True):
        drift += pool_versions.plan(namespace.name, builds)
    _report_drift(report, "drift", drift, await _left_over(client, tenants), "as it should be")
    return EXIT_DIFFERS if drift else EXIT_OK


async def drain(
    client: Client, tenants: TenantsFile, name: str, report: Report, wait_seconds: float = 0
) -> int:
    """Report what the tenant has open; wait for it to end, if asked to.

    While the tenant moves, its old lane alone decides: that is what the end of the move takes away. Else
    everything decides, because that is what goes with the record.
    """
    tenant = tenants.tenant(name)
    deadline = asyncio.get_running_loop().time() + wait_seconds
    while True:
        states = await _look(client, tenants, tenant, deadline)
        deciding = states[1:] if tenant.moving_from else states
        is_drained = all(state.is_drained for state in deciding)
        if is_drained or asyncio.get_running_loop().time() >= deadline:
            break
        report.note("; ".join(str(state) for state in deciding))
        await asyncio.sleep(_LOOK_SECONDS)
    values = {
        "tenant": name,
        "is_drained": is_drained,
        "open_deployments": sum(state.open_deployments for state in states),
        "lanes": [asdict(state) for state in states],
    }
    rows = [(name, state.lane, state.contents) for state in states]
    report.result(values, ("Tenant", "Lane", "Open"), rows, "")
    return EXIT_OK if is_drained else EXIT_DIFFERS


async def _look(client: Client, tenants: TenantsFile, tenant: Tenant, deadline: float) -> list[LaneState]:
    """Look at the tenant's lanes, until the deadline over any loss of connection."""
    while True:
        try:
            return [await lanes.observe(client, tenant, lane) for lane in moves.lanes_of(tenants, tenant)]
        except RPCError as error:
            if not is_transient(error) or asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(_LOOK_SECONDS)


async def move(client: Client, tenants: TenantsFile, name: str, to: Strategy, report: Report) -> int:
    """Report the procedure of a move: which of its steps hold, and what comes next."""
    tenant = tenants.tenant(name)
    watched = (tenants.lane_of(tenant), *moves.other_lanes(tenants, tenant))
    seen = await side_by_side(watched, lambda lane: lanes.observe(client, tenant, lane))
    steps = moves.steps(tenants, tenant, to, dict(zip(watched, seen, strict=True)))
    values = {
        "tenant": name,
        "to": str(to),
        "steps": [asdict(step) for step in steps],
        "lanes": [asdict(state) for state in seen],
    }
    rows = [(f"{number}. {step.what}", step.state, step.detail) for number, step in enumerate(steps, 1)]
    report.result(values, ("Step", "State", "Detail"), rows, "")
    return EXIT_OK if all(step.state is moves.StepState.DONE for step in steps) else EXIT_DIFFERS


async def _left_over(client: Client, tenants: TenantsFile) -> list[dict[str, Any]]:
    """Return the namespaces of tenants that are gone from the file, with what is open there."""
    names = await namespaces.left_over(client, {item.name for item in tenants.all_namespaces()})
    counts = await side_by_side(names, lambda name: namespaces.count_open(client, name, "RunId IS NOT NULL"))
    return [{"namespace": name, "open_deployments": count} for name, count in zip(names, counts, strict=True)]


def _report_drift(
    report: Report, key: str, drift: Sequence[Drift], left_over: list[dict[str, Any]], otherwise: str
) -> None:
    rows = [(item.namespace, item.task_queue, item.action, item.detail) for item in drift]
    rows += [
        (item["namespace"], "", "left-over", f"not in the file; {item['open_deployments']} open deployments")
        for item in left_over
    ]
    values = {key: [asdict(item) for item in drift], "left_over": left_over}
    report.result(values, ("Namespace", "Queue", "Action", "Detail"), rows, otherwise)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker.tenants",
        description="Bring Temporal's namespaces, search attributes, queue limits and worker pools' versions to what the "
        "tenants file says.",
        epilog="Exit codes: 0 as it should be, 1 Temporal unreachable, 2 bad input, 3 drift, open deployments "
        "or steps to do.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object instead of text")
    common.add_argument(
        "--file",
        metavar="PATH",
        help=f"the tenants file, {_STDIN} for standard input; default: $ROUTERFLEET_TENANTS_FILE",
    )
    commands.add_parser("apply", parents=[common], help="create and correct what differs")
    commands.add_parser("check", parents=[common], help="show what differs")
    drained = commands.add_parser("drain", parents=[common], help="show what a tenant has open")
    drained.add_argument("tenant", metavar="TENANT")
    drained.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="wait for it to end; default: 0"
    )
    moved = commands.add_parser(
        "move", parents=[common], help="show how to move a tenant, and how far that is"
    )
    moved.add_argument("tenant", metavar="TENANT")
    moved.add_argument("--to", required=True, choices=[str(strategy) for strategy in Strategy])
    return parser


def _tenants(option: str | None) -> TenantsFile:
    value = option or os.environ.get("ROUTERFLEET_TENANTS_FILE")
    if not value:
        raise UsageError("ROUTERFLEET_TENANTS_FILE: not set; give it, or --file PATH")
    return TenantsFile.from_json(sys.stdin.read()) if value == _STDIN else TenantsFile.load(Path(value))


if __name__ == "__main__":
    leave(main())
