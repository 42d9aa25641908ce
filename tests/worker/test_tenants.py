"""`python -m worker.tenants`: what people and machines see of it, on a dev server."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from temporalio.client import Client

from tests.worker.support import TEMPLATE, eventually
from worker.administration.namespaces import Observed, observe
from worker.administration.reports import Report
from worker.models.deployment import DeploymentRequest
from worker.starting.starter import start_deployment
from worker.tenancy import SEARCH_ATTRIBUTES, Namespace, Strategy, Tenant, TenantsFile
from worker.tenants import apply, check, drain, move

KEYWORD = 2
ALL: dict[str, int] = {name: KEYWORD for name in SEARCH_ATTRIBUTES}  # noqa: C420 - fromkeys narrows the type
JSON = Report(is_json=True)


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Path, TenantsFile]:
    """A tenants file of namespaces of the test's own."""
    run = secrets.token_hex(3)
    tenants = TenantsFile(
        f"shared-{run}",
        (Namespace(f"shared-{run}", 3),),
        (
            Tenant("chogar", rate_per_second=5),
            Tenant(f"a{run}", Strategy.NAMESPACE, 5),
            Tenant("piloto", Strategy.SHARED_QUEUE, weight=2),
        ),
    )
    path = tmp_path / "fleet.json"
    path.write_text(tenants.to_json())
    return path, tenants


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    """Return the last object that a command wrote."""
    return lambda: json.loads(capsys.readouterr().out.splitlines()[-1])


async def command(address: str, path: Path, *arguments: str, said: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.tenants",
        *arguments,
        env={**os.environ, "TEMPORAL_ADDRESS": address, "ROUTERFLEET_TENANTS_FILE": str(path)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(said.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def own(text: str, tenants: TenantsFile) -> list[str]:
    """Return the lines about the test's own namespaces: others may be left over from other tests."""
    names = tuple(f"{namespace.name}: " for namespace in tenants.all_namespaces())
    return [line for line in text.splitlines() if line.startswith(names)]


async def test_apply_twice_at_once_then_check_and_mend(
    temporal_address: str,
    client: Client,
    fleet: tuple[Path, TenantsFile],
    said: Callable[[], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, tenants = fleet
    shared, theirs = (namespace.name for namespace in tenants.all_namespaces())

    assert await check(client, tenants, JSON) == 3
    assert [(item["namespace"], item["task_queue"], item["action"]) for item in said()["drift"]] == [
        (shared, "", "create-namespace"),
        (shared, "", "add-search-attributes"),
        (theirs, "", "create-namespace"),
        (theirs, "", "add-search-attributes"),
        (shared, "shared-deployments", "set-weights"),
        (shared, "tenant-chogar-deployments", "set-rate"),
    ]

    results = await asyncio.gather(*(command(temporal_address, path, "apply") for _ in range(2)))
    assert [(code, errors) for code, _, errors in results] == [(0, ""), (0, "")]
    assert [await observe(client, name) for name in (shared, theirs)] == [Observed(3, ALL), Observed(5, ALL)]

    assert [await check(client, tenants, JSON), said()["drift"]] == [0, []]
    assert [await apply(client, tenants, JSON), said()["done"]] == [0, []]

    changed = replace(
        tenants, namespaces=(Namespace(shared, 9),), tenants=(Tenant("chogar"), *tenants.tenants[1:])
    )
    drift = [
        f"{shared}: set-retention: retention 3 days, should be 9",
        f"{shared}: tenant-chogar-deployments: set-rate: steps per second 5, should be unlimited",
    ]
    assert await check(client, changed, Report()) == 3
    assert own(capsys.readouterr().out, tenants) == drift
    assert await apply(client, changed, Report()) == 0
    assert own(capsys.readouterr().out, tenants) == drift
    assert await observe(client, shared) == Observed(9, ALL)

    # The namespace of a tenant that is gone stays, and is no drift: there is nothing to mend.
    gone = replace(changed, tenants=(Tenant("chogar"),))
    assert await apply(client, gone, JSON) == 0
    assert {"namespace": theirs, "open_deployments": 0} in said()["left_over"]
    assert await observe(client, theirs) == Observed(5, ALL)
    assert await check(client, gone, Report()) == 0
    line = f"{theirs}: left-over: not in the file; 0 open deployments"
    assert line in capsys.readouterr().out.splitlines()


async def test_on_a_terminal_drift_is_a_table(client: Client, fleet: tuple[Path, TenantsFile]) -> None:
    _, tenants = fleet
    output = StringIO()
    console = Console(file=output, force_terminal=True, width=160, color_system=None)

    assert await check(client, tenants, Report(output=console)) == 3

    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.getvalue().splitlines()]
    shared = tenants.shared_namespace
    assert [shared, "", "create-namespace", "retention 3 days"] in cells
    assert [
        shared,
        "tenant-chogar-deployments",
        "set-rate",
        "steps per second unlimited, should be 5",
    ] in cells


def request(tenant: Tenant, router: str = "r1") -> DeploymentRequest:
    return DeploymentRequest(tenant.name, router, "madrid", "change-1", TEMPLATE, {"name": "new"})


@pytest.mark.parametrize("strategy", [Strategy.TASK_QUEUE, Strategy.SHARED_QUEUE])
async def test_drain_counts_what_the_tenant_has_open(
    client: Client,
    tenant: Tenant,
    tenants: TenantsFile,
    said: Callable[[], dict[str, Any]],
    strategy: Strategy,
) -> None:
    # Nobody serves either tenant, so the deployments stay open until they are terminated.
    tenant = replace(tenant, strategy=strategy)
    other = Tenant(f"{tenant.name}0", strategy)
    tenants = replace(tenants, tenants=(tenant, other))
    started = [await start_deployment(client, item, request(item)) for item in (tenant, other)]

    async def drained(code: int, wait_seconds: float = 0) -> bool:
        return await drain(client, tenants, tenant.name, JSON, wait_seconds) == code

    is_shared = strategy is Strategy.SHARED_QUEUE
    lane = {
        "namespace": "production",
        "task_queue": "shared-deployments" if is_shared else f"tenant-{tenant.name}-deployments",
        "open_deployments": 1,
        "backlog": None if is_shared else 1,
        "windows": 0,
        "workers": 0,
        "follows": "",
    }
    values = {"tenant": tenant.name, "is_drained": False, "open_deployments": 1, "lanes": [lane]}

    async def is_reported() -> bool:
        return await drained(3) and said() == values

    # Visibility and the count of waiting tasks may be a moment behind.
    await eventually(is_reported)

    # A drain that waits sees the end of it. The task that terminating leaves behind holds nothing up.
    waiting = asyncio.create_task(drained(0, 30))
    await started[0].handle.terminate()
    assert await waiting
    assert said()["open_deployments"] == 0
    await started[1].handle.terminate()


async def test_move_shows_what_holds_of_the_procedure(
    client: Client, tenant: Tenant, tenants: TenantsFile, said: Callable[[], dict[str, Any]]
) -> None:
    assert await move(client, tenants, tenant.name, Strategy.NAMESPACE, JSON) == 3
    steps = said()["steps"]
    assert [(step["what"], step["state"]) for step in steps] == [
        ("record the move", "now"),
        ("new lane is served", "later"),
        ("old lane is drained", "later"),
        ("end the move", "later"),
    ]
    assert steps[0]["detail"] == (
        f"tenants.{tenant.name}: strategy: namespace, moving_from: task-queue; pulumi up. Running deployments "
        "cannot go to another namespace: they end in the old one, and until then new ones are refused (TenantMoving)"
    )


async def test_bad_input_is_one_line(temporal_address: str, fleet: tuple[Path, TenantsFile]) -> None:
    path, tenants = fleet
    known = ", ".join(tenant.name for tenant in tenants.tenants)
    unknown = f"tenant 'orange' is not known; known tenants: {known}\n"
    missing = path.with_name("missing.json")
    *usage, (code, _, errors) = await asyncio.gather(
        command(temporal_address, path, "drain", "orange"),
        command("127.0.0.1:1", path, "move", "orange", "--to", "namespace"),
        command("nonsense", missing, "drain", "orange", "--file", "-", said=tenants.to_json()),
        command("nonsense", path, "apply"),
        command(temporal_address, path, "apply", "--file", str(missing)),
        command("127.0.0.1:1", path, "apply"),
    )
    assert usage == [
        (2, "", unknown),
        (2, "", unknown),
        (2, "", unknown),
        (2, "", "TEMPORAL_ADDRESS: 'nonsense' must be HOST:PORT, for example 0.0.0.0:8080\n"),
        (2, "", f"{missing}: No such file or directory\n"),
    ]
    assert (code, len(errors.splitlines()), errors.partition(": ")[0]) == (1, 1, "127.0.0.1:1")
