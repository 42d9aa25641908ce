"""The demo: its plan (pure), its bad input, and one whole run on the embedded dev server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from rich.console import Console

from worker.demo.deployments import DEFAULT_TENANTS, plan_demo
from worker.demo.display import table
from worker.demo.embedded import EmbeddedError, free_port, part
from worker.demo.watch import State
from worker.models.deployment import Phase
from worker.simulator.client import Tally
from worker.tenancy import Namespace, TenancyError, Tenant, TenantsFile


def test_plan_is_six_deployments_of_three_tenants() -> None:
    planned = [(item.tenant.name, item.request.router) for item in plan_demo(DEFAULT_TENANTS, "0a1b")]

    assert planned == [
        ("chogar", "mad-1-0a1b"),
        ("chogar", "svq-1-0a1b"),
        ("amovil", "bio-1-0a1b"),
        ("afijo", "vlc-1-0a1b"),
        ("afijo", "zaz-1-0a1b"),
        ("afijo", "vgo-1-0a1b"),
    ]


def test_plan_of_one_tenant() -> None:
    assert [item.request.site for item in plan_demo(DEFAULT_TENANTS, "0a1b", "amovil")] == ["bilbao"]
    with pytest.raises(TenancyError, match=r"^--tenant: 'orange' must be one of afijo, amovil, chogar$"):
        plan_demo(DEFAULT_TENANTS, "0a1b", "orange")


def test_plan_needs_the_demos_tenants() -> None:
    tenants = TenantsFile("p", (Namespace("p"),), (Tenant("chogar"),))

    with pytest.raises(TenancyError, match=r"^tenant 'amovil' is not known; known tenants: chogar$"):
        plan_demo(tenants, "0a1b")


@pytest.mark.parametrize(
    ("phase", "tally", "is_good"),
    [
        (Phase.DEPLOYED, Tally(1, 0), True),
        (Phase.DEPLOYED, Tally(1, 3), True),
        (Phase.DEPLOYED, Tally(0, 0), False),
        (Phase.DEPLOYED, Tally(2, 0), False),
        (Phase.DEPLOYED, None, False),
        (Phase.UNCHANGED, Tally(1, 0), False),
        (Phase.ROLLED_BACK, Tally(1, 0), False),
        (None, Tally(1, 0), False),
    ],
)
def test_good_is_deployed_and_applied_exactly_once(
    phase: Phase | None, tally: Tally | None, is_good: bool
) -> None:
    assert State("t", "r", "s", phase=phase, is_done=True, ledger=tally).is_good is is_good


def test_table_groups_by_tenant() -> None:
    states = [
        State(
            "chogar", "mad-1", "madrid", phase=Phase.DEPLOYED, seconds=2.04, is_done=True, ledger=Tally(1, 0)
        ),
        State("chogar", "svq-1", "sevilla", phase=Phase.APPLY, seconds=1.5),
        State("amovil", "bio-1", "bilbao"),
    ]
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - discarded
    console.print(table(states))
    console.file.close()
    rows = [line.split("│")[1:-1] for line in console.export_text().splitlines() if line.startswith("│")]

    assert [[cell.strip() for cell in row] for row in rows] == [
        ["chogar", "mad-1", "madrid", "■■■■■■■", "deployed", "2.0", "1x"],
        ["", "svq-1", "sevilla", "■■■■□□□", "apply", "1.5", ""],
        ["amovil", "bio-1", "bilbao", "□□□□□□□", "waiting for a worker", "0.0", ""],
    ]


async def test_taken_ui_port_is_noticed_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process = await demo("--ui-port", str(port))
        output, errors = await process.communicate()

    assert (process.returncode, output) == (
        2,
        b"Starting Temporal's dev server, the simulated routers and a worker ...\n",
    )
    assert errors.decode().startswith(f"--ui-port: {port} cannot be listened on: ")


async def test_part_that_dies_is_noticed_at_once(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async with part(
        tmp_path / "temporal.log", [sys.executable, "-c", "import sys; sys.exit('no luck')"]
    ) as dying:
        with pytest.raises(EmbeddedError) as caught:
            await dying.wait_until(never)

    assert str(caught.value) == "temporal did not start: no luck"


async def demo(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.demo",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def children_of(pid: int) -> list[int]:
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.read_text().rpartition(")")[2].split()[1] == str(pid)
    ]


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_six_of_six() -> None:
    # Somebody's settings for another Temporal must not reach the embedded one.
    process = await demo("--json", TEMPORAL_NAMESPACE="elsewhere", ROUTERFLEET_POOL="other")
    output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    report = json.loads(output)
    assert (report["verdict"], report["completed"]) == ("PASS", 6)
    assert [(d["tenant"], d["phase"], d["ledger"]) for d in report["deployments"]] == [
        (tenant, "deployed", {"applied": 1, "duplicates": 0})
        for tenant in ("chogar", "chogar", "amovil", "afijo", "afijo", "afijo")
    ]


async def interrupt(number: signal.Signals) -> tuple[int | None, int, list[int]]:
    """Return the exit code, how many processes there were, and which are left."""
    process = await demo("--keep", "--tenant", "amovil", "--ui-port", str(free_port()))
    assert process.stdout is not None
    assert process.stderr is not None
    line = b""
    while not line.startswith(b"Kept up"):
        line = await process.stdout.readline()
        assert line, (await process.stderr.read()).decode()
    children = children_of(process.pid)
    process.send_signal(number)
    await process.communicate()
    return process.returncode, len(children), living(children)


async def test_interrupted_demo_leaves_no_process() -> None:
    results = await asyncio.gather(interrupt(signal.SIGINT), interrupt(signal.SIGTERM))

    assert results == [(130, 3, []), (130, 3, [])]


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--tenant", "orange"], {}, "--tenant: 'orange' must be one of afijo, amovil, chogar"),
        (
            [],
            {"TEMPORAL_ADDRESS": "127.0.0.1:1"},
            "ROUTERFLEET_ROUTERS_URL: '' must be http://HOST:PORT of the simulated routers",
        ),
        (
            [],
            {"TEMPORAL_ADDRESS": "nonsense", "ROUTERFLEET_ROUTERS_URL": "http://127.0.0.1:1"},
            "TEMPORAL_ADDRESS: 'nonsense' must be HOST:PORT, for example 0.0.0.0:8080",
        ),
        (["--ui-port", "1000000"], {}, "--ui-port: 1000000 cannot be listened on"),
    ],
)
async def test_bad_input_is_one_line(arguments: list[str], environment: dict[str, str], message: str) -> None:
    process = await demo(*arguments, **environment)
    _, errors = await process.communicate()

    assert process.returncode == 2
    (line,) = errors.decode().splitlines()
    assert line.startswith(message)
