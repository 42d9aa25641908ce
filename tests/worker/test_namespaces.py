"""`python -m worker.tenants`: what is planned (pure), and what a dev server has afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.worker.support import eventually
from worker.models import DeploymentRequest
from worker.namespaces import Action, Drift, NamespaceError, Observed, observe, plan
from worker.starter import start_deployment
from worker.tenancy import SEARCH_ATTRIBUTES, Namespace, Strategy, Tenant, TenantsFile
from worker.tenants import apply, check, drain

KEYWORD = 2
ALL: dict[str, int] = {name: KEYWORD for name in SEARCH_ATTRIBUTES}  # noqa: C420 - fromkeys narrows the type


@pytest.mark.parametrize(
    ("observed", "drift"),
    [
        (Observed(7, ALL), ()),
        (Observed(7, {**ALL, "Somebodys": 4}), ()),
        (
            None,
            (
                Drift("n", Action.CREATE_NAMESPACE, "retention 7 days"),
                Drift(
                    "n",
                    Action.ADD_SEARCH_ATTRIBUTES,
                    "search attributes missing: Tenant, Router, Site, Phase, ChangeId",
                ),
            ),
        ),
        (Observed(3, ALL), (Drift("n", Action.SET_RETENTION, "retention 3 days, should be 7"),)),
        (
            Observed(7, {"Tenant": KEYWORD, "Router": KEYWORD}),
            (Drift("n", Action.ADD_SEARCH_ATTRIBUTES, "search attributes missing: Site, Phase, ChangeId"),),
        ),
    ],
)
def test_plan(observed: Observed | None, drift: tuple[Drift, ...]) -> None:
    assert plan(Namespace("n", 7), observed) == drift


def test_plan_refuses_what_cannot_be_mended() -> None:
    with pytest.raises(NamespaceError, match="search attribute Phase is INDEXED_VALUE_TYPE_INT, should be"):
        plan(Namespace("n"), Observed(7, {**ALL, "Phase": 3}))


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Path, TenantsFile]:
    """A tenants file of namespaces of the test's own."""
    run = secrets.token_hex(3)
    tenants = TenantsFile(
        f"shared-{run}",
        (Namespace(f"shared-{run}", 3),),
        (Tenant("chogar"), Tenant(f"a{run}", Strategy.NAMESPACE, 5)),
    )
    path = tmp_path / "fleet.json"
    path.write_text(tenants.to_json())
    return path, tenants


async def command(address: str, path: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.tenants",
        *arguments,
        env={**os.environ, "TEMPORAL_ADDRESS": address, "ROUTERFLEET_TENANTS_FILE": str(path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_apply_twice_at_once_then_check_and_mend(
    temporal_address: str,
    client: Client,
    fleet: tuple[Path, TenantsFile],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, tenants = fleet
    names = [namespace.name for namespace in tenants.all_namespaces()]

    assert await check(client, tenants, is_json=True) == 3
    assert len(json.loads(capsys.readouterr().out)["drift"]) == 4

    results = await asyncio.gather(*(command(temporal_address, path, "apply") for _ in range(2)))
    assert [(code, errors) for code, _, errors in results] == [(0, ""), (0, "")]
    assert [await observe(client, name) for name in names] == [Observed(3, ALL), Observed(5, ALL)]

    assert [await check(client, tenants), await apply(client, tenants)] == [0, 0]
    assert capsys.readouterr().out == "as it should be\nnothing to do\n"

    changed = replace(tenants, namespaces=(Namespace(names[0], 9),))
    assert [await check(client, changed), await apply(client, changed)] == [3, 0]
    drift = f"{names[0]}: set-retention: retention 3 days, should be 9\n"
    assert capsys.readouterr().out == drift + drift
    assert await observe(client, names[0]) == Observed(9, ALL)


async def test_drain_counts_open_deployments(
    client: Client, tenant: Tenant, tenants: TenantsFile, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody serves this tenant, so the deployment stays open until it is terminated.
    request = DeploymentRequest(tenant.name, "r1", "madrid", "change-1", "hostname r1")
    started = await start_deployment(client, tenant, request)

    async def drained(code: int) -> bool:
        return await drain(client, tenants, tenant.name, is_json=True) == code

    async def report(code: int) -> dict[str, Any]:
        # Visibility may be a moment behind.
        await eventually(lambda: drained(code))
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    expected = {"tenant": tenant.name, "namespace": "production", "open_deployments": 1}
    assert await report(3) == expected
    await started.handle.terminate()
    assert await report(0) == {**expected, "open_deployments": 0}


async def test_bad_input_is_one_line(temporal_address: str, fleet: tuple[Path, TenantsFile]) -> None:
    path, tenants = fleet
    known = ", ".join(tenant.name for tenant in tenants.tenants)
    assert await command(temporal_address, path, "drain", "orange") == (
        2,
        "",
        f"tenant 'orange' is not known; known tenants: {known}\n",
    )
    code, _, errors = await command("nonsense", path, "apply")
    assert (code, errors) == (
        2,
        "TEMPORAL_ADDRESS: 'nonsense' must be HOST:PORT, for example 0.0.0.0:8080\n",
    )
    code, _, errors = await command("127.0.0.1:1", path, "apply")
    assert (code, len(errors.splitlines()), errors.partition(": ")[0]) == (1, 1, "127.0.0.1:1")
    path.unlink()
    code, _, errors = await command(temporal_address, path, "apply")
    assert (code, errors) == (2, f"{path}: No such file or directory\n")
