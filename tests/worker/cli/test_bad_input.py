"""Bad input: exit code 2 and one line, before anything is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker.cli.support import Cli
from worker.encryption.command import main as keyring
from worker.tenancy import Namespace, Strategy, Tenant, TenantsFile

DEPLOY = ["deploy", "r1", "--tenant", "T", "--template", "TEMPLATE", "--change", "C", "--var", "name=x"]
TARGETS = ["--targets", "TARGETS"]
ROLLOUT = ["rollout", "--tenant", "T", "--template", "TEMPLATE", "--change", "C", *TARGETS]
CHECKS = "bgp-session, configuration, interface, route"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["deploy", "r1"], "Missing option '--template'."),
        ([*DEPLOY, "--urgency", "soon"], "Invalid value for '--urgency': 'soon'"),
        ([*DEPLOY, "--tenant", "orange"], "tenant 'orange' is not known; known tenants: T"),
        (["deploy", "r1", *DEPLOY[4:]], "--tenant: not given; known tenants: T"),
        (["deploy", "a/b", *DEPLOY[2:]], "router 'a/b' must be lower-case letters"),
        ([*DEPLOY, "--template", "/no/such"], "--template: /no/such: No such file or directory"),
        (DEPLOY[:-2], "--template: r1: variable 'name' has no value"),
        ([*DEPLOY, "--var", "x"], "--var: 'x' must be NAME=VALUE, for example hostname=mad-1"),
        ([*DEPLOY, "--var", "name=y"], "--var: 'name' is given twice"),
        ([*DEPLOY, "--check", "ping=x"], f"--check: kind 'ping' is none of {CHECKS}"),
        ([*DEPLOY, "--check", "route"], "--check: 'route' must be route=TARGET"),
        ([*DEPLOY, "--confirm-seconds", "0"], "router 'r1': confirm_seconds: 0 must be from 1 to 3600"),
        ([*DEPLOY, "--approval", "--approval-timeout", "0"], "router 'r1': approval.timeout_seconds: 0 must"),
        ([*DEPLOY, "--tenants-file", "/no/such"], "/no/such: No such file or directory"),
        (ROLLOUT, "--template: r2: variable 'name' has no value"),
        ([*ROLLOUT, "--batch", "0"], "rollout C: batch_size: 0 must be from 1 to 1000"),
        ([*ROLLOUT, "--targets", "TEMPLATE"], "--targets: TEMPLATE: columns hostname $name lack `router`"),
        (["watch"], "--tenant: not given; known tenants: T"),
        (["watch", "r1"], "'r1': is no workflow id; for a router's or change's name give --tenant"),
        (["report", "none", "-t", "T"], "'none': tenant T has no such deployment or rollout; `routers list`"),
        (["pause", "none", "-t", "T"], "'none': tenant T has no such rollout; `routers list` shows them"),
        (["cancel", "deploy-orange-r1"], "tenant 'orange' is not known; known tenants: T"),
        (["list", "--since", "yesterday"], "--since: 'yesterday' must be a number and one of s, m, h, d"),
        (["list", "--router", "a'b"], '"a\'b": must not contain quotes or backslashes'),
        (["list", "--limit", "0"], "Invalid value for '--limit': "),
    ],
)
async def test_one_line(
    cli: Cli, tenant: Tenant, template: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text("router,site\nr2,madrid\n")
    names = {"T": tenant.name, "TEMPLATE": str(template), "TARGETS": str(targets)}
    answer = await cli(*(names.get(argument, argument) for argument in arguments))

    expected = message.replace("tenants: T", f"tenants: {tenant.name}").replace("TEMPLATE", str(template))
    expected = expected.replace("tenant T", f"tenant {tenant.name}")
    assert (answer.code, answer.output) == (2, "")
    assert answer.errors.startswith(expected)
    assert answer.errors.count("\n") == 1


async def test_machines_get_the_error_as_an_object(cli: Cli) -> None:
    answer = await cli("list", "--since", "x", "--json")

    message = "--since: 'x' must be a number and one of s, m, h, d, for example 24h"
    assert answer.json == {"error": "UsageError", "message": message, "exit_code": 2}
    assert answer.errors == f"{message}\n"


async def test_no_command_shows_help(cli: Cli) -> None:
    answer = await cli()

    assert (answer.code, answer.errors) == (2, "")
    assert "Usage: routers" in answer.output


async def test_inventory_knows_better(
    cli: Cli, tenant: Tenant, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        {"name": "r1", "tenant": "other", "platform": "frr"},
        {"name": "r2", "tenant": tenant.name, "platform": "frr"},
    ]
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"routers": records}))
    monkeypatch.setenv("ROUTERFLEET_INVENTORY_FILE", str(inventory))
    rest = ["--tenant", tenant.name, "--template", str(template), "--change", "C"]
    foreign = await cli("deploy", "r1", *rest)
    wrong = await cli("deploy", "r2", "--platform", "eos", *rest)

    assert foreign.errors == f"router 'r1': belongs to tenant other, not {tenant.name}\n"
    assert wrong.errors == "--platform: router 'r2' is of platform frr, not eos\n"


async def test_queue_without_workers(cli: Cli, tenant: Tenant, template: Path) -> None:
    rest = ["--tenant", tenant.name, "--template", str(template), "--change", "C", "--var", "name=x"]
    refused = await cli("deploy", "r1", *rest, "--json")
    started = await cli("deploy", "r1", *rest, "--json", "--no-check-workers", "--no-wait")
    approving = await cli("approve", "r1", "--tenant", tenant.name, "--by", "eva")
    report = await cli("report", "r1", "--tenant", tenant.name)
    cancelling = await cli("cancel", "r1", "--tenant", tenant.name, "--no-wait")

    assert (refused.code, refused.json["error"]) == (1, "QueueWithoutWorkers")
    assert refused.errors.startswith(
        f"tenant {tenant.name}: nobody serves queue tenant-{tenant.name}-deployments in production; start"
    )
    assert (started.code, started.json["phase"], started.json["ending"]) == (0, "", "open")
    assert (approving.code, "nobody serves queue" in approving.errors) == (1, True)
    assert (report.code, report.output.splitlines()[-1]) == (0, "open, waiting for a worker")
    assert cancelling.code == 0


async def test_unreachable_server_is_one_line(
    cli: Cli, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    answer = await cli("list", "--tenant", tenant.name)

    assert (answer.code, answer.output, answer.errors.count("\n")) == (1, "", 1)
    assert answer.errors.startswith("127.0.0.1:1: cannot be reached: ")


async def test_missing_settings_are_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "nonsense")
    wrong = await cli("list")
    monkeypatch.delenv("ROUTERFLEET_TENANTS_FILE")
    missing = await cli("list")

    assert (wrong.code, wrong.errors) == (
        2,
        "TEMPORAL_ADDRESS: 'nonsense' must be HOST:PORT, for example 0.0.0.0:8080\n",
    )
    assert (missing.code, missing.errors) == (
        2,
        "ROUTERFLEET_TENANTS_FILE: not set; give it, or --tenants-file PATH\n",
    )


async def test_namespace_that_is_missing_says_so(cli: Cli, tmp_path: Path) -> None:
    tenants = TenantsFile("nowhere", (Namespace("nowhere"),), (Tenant("chogar"),))
    path = tmp_path / "elsewhere.json"
    path.write_text(tenants.to_json())
    answer = await cli("list", "--tenants-file", str(path))

    assert (answer.code, answer.errors.count("\n")) == (1, 1)
    assert "python -m worker.tenants check" in answer.errors


async def test_tenant_between_two_namespaces(
    cli: Cli, tenant: Tenant, tenants: TenantsFile, template: Path, tmp_path: Path
) -> None:
    rest = ["--tenant", tenant.name, "--template", str(template), "--change", "C", "--var", "name=x"]
    await cli("deploy", "r1", *rest, "--no-check-workers", "--no-wait")
    moving = replace(tenant, strategy=Strategy.NAMESPACE, moving_from=Strategy.TASK_QUEUE)
    path = tmp_path / "moving.json"
    path.write_text(replace(tenants, tenants=(moving,)).to_json())
    refused = await cli("deploy", "r1", *rest, "--tenants-file", str(path), "--json")
    report = await cli("report", "r1", "--tenant", tenant.name, "--tenants-file", str(path))
    await cli("cancel", "r1", "--tenant", tenant.name, "--tenants-file", str(path), "--no-wait")

    assert (refused.code, refused.json["error"]) == (1, "TenantMoving")
    assert f"tenant {tenant.name} moves from namespace production to tenant-{tenant.name}" in refused.errors
    # What runs in the old namespace is still found.
    assert (report.code, report.output.splitlines()[-1]) == (0, "open, waiting for a worker")


async def test_payload_of_another_key(
    cli: Cli, tenant: Tenant, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyrings = [str(tmp_path / name) for name in ("ours.json", "theirs.json")]
    assert [keyring(["new-key", path]) for path in keyrings] == [0, 0]
    rest = ["--tenant", tenant.name, "--template", str(template), "--change", "C", "--var", "name=x"]
    monkeypatch.setenv("ROUTERFLEET_KEYRING_FILE", keyrings[0])
    await cli("deploy", "r1", *rest, "--no-check-workers", "--no-wait")
    ours = await cli("report", "r1", "--tenant", tenant.name, "--json")
    monkeypatch.setenv("ROUTERFLEET_KEYRING_FILE", keyrings[1])
    theirs = await cli("report", "r1", "--tenant", tenant.name, "--json")
    monkeypatch.delenv("ROUTERFLEET_KEYRING_FILE")
    nobodys = await cli("report", "r1", "--tenant", tenant.name, "--json")
    await cli("cancel", "r1", "--tenant", tenant.name, "--no-wait")

    assert (ours.code, ours.json["change_id"]) == (0, "C")
    for unread in (theirs, nobodys):
        assert (unread.code, unread.json["error"], unread.errors.count("\n")) == (2, "PayloadUnreadable", 1)
        assert "payload is encrypted" in unread.errors
