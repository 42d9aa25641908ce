"""`python -m worker.tenants apply|check|drain TENANT`: bring Temporal to what the tenants file says.

Exit codes: 0 as it should be, 1 Temporal cannot be reached or refuses, 2 bad input, 3 drift (`check`) or
open deployments (`drain`). Deletes nothing: a namespace that is no longer listed stays.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from worker.client import connect
from worker.errors import UsageError
from worker.namespaces import Drift, NamespaceError, count_open, observe, plan, reconcile_all
from worker.tenancy import TenancyError, TenantsFile

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_DIFFERS = 0, 1, 2, 3


def main() -> int:
    """Run one command; return the process's exit code."""
    options = _parser().parse_args()
    try:
        tenants = TenantsFile.load(_file(options.file))
        return asyncio.run(_run(options, tenants))
    except (UsageError, TenancyError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except (NamespaceError, RPCError, RuntimeError) as error:
        sys.stderr.write(f"{os.environ.get('TEMPORAL_ADDRESS')}: {error}\n")
        return EXIT_FAILED


async def _run(options: argparse.Namespace, tenants: TenantsFile) -> int:
    match options.command:
        case "apply":
            return await apply(await connect(), tenants, is_json=options.json)
        case "check":
            return await check(await connect(), tenants, is_json=options.json)
        case _:
            tenants.tenant(options.tenant)
            return await drain(await connect(), tenants, options.tenant, is_json=options.json)


async def apply(client: Client, tenants: TenantsFile, *, is_json: bool = False) -> int:
    """Create and correct what differs, wait until it can be used, and report what was done."""
    done = await reconcile_all(client, tenants.all_namespaces())
    _report({"done": _plain(done)}, _lines(done) or ["nothing to do"], is_json=is_json)
    return EXIT_OK


async def check(client: Client, tenants: TenantsFile, *, is_json: bool = False) -> int:
    """Report what differs."""
    drift = [
        drift
        for namespace in tenants.all_namespaces()
        for drift in plan(namespace, await observe(client, namespace.name))
    ]
    _report({"drift": _plain(drift)}, _lines(drift) or ["as it should be"], is_json=is_json)
    return EXIT_DIFFERS if drift else EXIT_OK


async def drain(client: Client, tenants: TenantsFile, name: str, *, is_json: bool = False) -> int:
    """Report how many of the tenant's deployments are open; the record may go when none is."""
    tenant = tenants.tenant(name)
    namespace = tenants.namespace_of(tenant)
    count = await count_open(client, namespace, f"TaskQueue = '{tenant.task_queue}'")
    report = {"tenant": name, "namespace": namespace, "open_deployments": count}
    _report(report, [f"{name}: {count} open deployments in {namespace}"], is_json=is_json)
    return EXIT_DIFFERS if count else EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker.tenants",
        description="Bring Temporal's namespaces and search attributes to what the tenants file says.",
        epilog="Exit codes: 0 as it should be, 1 Temporal unreachable, 2 bad input, 3 drift or open deployments.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object instead of text")
    common.add_argument("--file", type=Path, help="the tenants file; default: $ROUTERFLEET_TENANTS_FILE")
    commands.add_parser("apply", parents=[common], help="create and correct what differs")
    commands.add_parser("check", parents=[common], help="show what differs")
    drained = commands.add_parser("drain", parents=[common], help="show a tenant's open deployments")
    drained.add_argument("tenant", metavar="TENANT")
    return parser


def _file(option: Path | None) -> Path:
    value = option or os.environ.get("ROUTERFLEET_TENANTS_FILE")
    if not value:
        raise UsageError("ROUTERFLEET_TENANTS_FILE: not set; give it, or --file PATH")
    return Path(value)


def _plain(drift: Sequence[Drift]) -> list[dict[str, Any]]:
    return [asdict(item) for item in drift]


def _lines(drift: Sequence[Drift]) -> list[str]:
    return [f"{item.namespace}: {item.action}: {item.detail}" for item in drift]


def _report(report: dict[str, Any], lines: list[str], *, is_json: bool) -> None:
    sys.stdout.write((json.dumps(report) if is_json else "\n".join(lines)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
