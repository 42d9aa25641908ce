"""`routers rollout`, its orders, and the file of targets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker.cli.support import Cli
from tests.worker.support import Bench, eventually
from worker.cli.targets import read_targets
from worker.errors import UsageError
from worker.models.rollout import RolloutTarget
from worker.simulator.store import Fault


async def command(bench: Bench, template: Path, routers: list[str], *more: str) -> list[str]:
    targets = template.parent / "targets.csv"
    targets.write_text("router,site,name\n" + "".join(f"{router},madrid,new\n" for router in routers))
    given = ["rollout", "--tenant", bench.tenant.name, "--template", str(template), "--targets", str(targets)]
    return [*given, "--change", "CHG-1", *more]


async def test_good_rollout(cli: Cli, bench: Bench, template: Path) -> None:
    routers = [await bench.router() for _ in range(3)]
    answer = await cli(*await command(bench, template, routers, "--json", "--batch", "2"))

    report = answer.json
    assert report.pop("seconds") > 0
    assert (answer.code, answer.errors) == (0, "")
    assert report == {
        "kind": "rollout",
        "workflow_id": f"rollout-{bench.tenant.name}-CHG-1",
        "tenant": bench.tenant.name,
        "change_id": "CHG-1",
        "phase": "completed",
        "total": 3,
        "batch": 1,
        "parallelism": 10,
        "counts": {"deployed": 3},
        "running": [],
        "failures": [],
        "note": "",
        "is_open": False,
        "endings": dict.fromkeys(routers, "deployed"),
        "failure": "",
        "exit_code": 0,
    }


async def test_partly_failed_rollout_exits_5(cli: Cli, bench: Bench, template: Path) -> None:
    routers = [await bench.router() for _ in range(2)]
    await bench.routers.set_fault(routers[1], Fault.REFUSE_VERIFY, times=10)
    answer = await cli(*await command(bench, template, routers, "--error-budget", "1"))
    report = await cli("report", "CHG-1", "--tenant", bench.tenant.name, "--json")

    assert answer.code == 5
    assert f"{routers[1]}: rolled-back: " in answer.output
    assert (report.code, report.json["endings"]) == (5, {routers[0]: "deployed", routers[1]: "rolled-back"})


async def test_orders(cli: Cli, bench: Bench, template: Path) -> None:
    name = bench.tenant.name
    routers = [await bench.router() for _ in range(3)]
    given = await command(bench, template, routers, "--batch", "1", "--pause-after-canary")
    started = await cli(*given, "--no-wait", "--json")
    joined = await cli(*given, "--no-wait")
    other = await cli(*given, "--no-wait", "--parallelism", "3")

    async def is_paused() -> bool:
        return (await cli("report", "CHG-1", "-t", name, "--json")).json["phase"] == "paused"

    await eventually(is_paused)
    again = await cli("pause", "CHG-1", "-t", name, "--by", "eva")
    resumed = await cli("resume", "CHG-1", "-t", name, "--by", "eva", "--parallelism", "2", "--json")
    watched = await cli("watch", "CHG-1", "-t", name, "--json")
    late = await cli("resume", "CHG-1", "-t", name)

    assert (started.code, started.json["is_open"]) == (0, True)
    assert (joined.code, "is under way already" in joined.output) == (0, True)
    assert (other.code, "CHG-1: is under way with other contents" in other.errors) == (1, True)
    assert (again.code, again.errors.endswith("is paused already\n")) == (2, True)
    assert (resumed.code, resumed.json["note"], resumed.json["parallelism"]) == (0, "resumed by eva", 2)
    assert (watched.code, watched.lines[-1]["phase"]) == (0, "completed")
    assert (late.code, "has ended at" in late.errors) == (1, True)


async def test_cancelled_rollout_leaves_every_router_known(cli: Cli, bench: Bench, template: Path) -> None:
    name = bench.tenant.name
    routers = [await bench.router() for _ in range(2)]
    await cli(*await command(bench, template, routers, "--approval", "--canary", "2", "--no-wait"))

    async def waits() -> bool:
        answer = await cli("list", "-t", name, "--phase", "awaiting-approval", "--open", "--json")
        return len(answer.lines) == 2

    await eventually(waits)
    answer = await cli("cancel", "CHG-1", "-t", name, "--json")

    assert (answer.code, answer.lines[-1]["phase"], answer.lines[-1]["is_open"]) == (0, "cancelled", False)
    assert [(await bench.running(router))[0] for router in routers] == ["hostname old"] * 2
    listed = await cli("list", "-t", name, "--closed", "--json", "--site", "madrid")
    assert [row["phase"] for row in listed.lines] == ["refused", "refused"]


async def test_rollout_can_be_ended_after_what_runs(cli: Cli, bench: Bench, template: Path) -> None:
    name = bench.tenant.name
    routers = [await bench.router() for _ in range(2)]
    await cli(*await command(bench, template, routers, "--pause-after-canary", "--no-wait"))

    async def is_ordered() -> bool:
        return (await cli("cancel", "CHG-1", "-t", name, "--finish-running")).code == 0

    await eventually(is_ordered)
    watched = await cli("watch", f"rollout-{name}-CHG-1", "--json")

    assert (watched.code in {3, 5}, watched.lines[-1]["phase"]) == (True, "aborted")


@pytest.mark.parametrize(
    ("name", "text", "targets"),
    [
        ("t.csv", "router\nr1\n", [RolloutTarget("r1", "", {"a": "1"})]),
        (
            "t.csv",
            "router,site,a,b\nr1,madrid,2,x y\n",
            [RolloutTarget("r1", "madrid", {"a": "2", "b": "x y"})],
        ),
        (
            "t.csv",
            'router,b\nr1,"x,\ny"\nr2,z\n',
            [
                RolloutTarget("r1", "", {"a": "1", "b": "x,\ny"}),
                RolloutTarget("r2", "", {"a": "1", "b": "z"}),
            ],
        ),
        (
            "t.json",
            '[{"router": "r1", "site": "s", "variables": {"a": "2"}}]',
            [RolloutTarget("r1", "s", {"a": "2"})],
        ),
    ],
)
def test_targets_are_read(tmp_path: Path, name: str, text: str, targets: list[RolloutTarget]) -> None:
    path = tmp_path / name
    path.write_text(text)

    assert read_targets(path, {"a": "1"}) == tuple(targets)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "columns none lack `router`"),
        ("t.csv", "router\n", "has no router"),
        ("t.csv", "router,a,a\nr1,1,2\n", "a column of router, a, a comes twice"),
        ("t.csv", "router,a\nr1,1,2\n", "line 2: must have 2 columns"),
        ("t.csv", "router,a\nr1,1\nr2\n", "line 3: must have 2 columns"),
        ("t.csv", 'router,a\nr1,"1" 2\n', "line 2: ',' expected after '\"'"),
        ("t.json", "[", "is not JSON: "),
        ("t.json", "{}", "must be a list of objects with router, site and variables"),
        ("t.json", "[1]", "router 1: 1 must be an object with router, site and variables"),
        ("t.json", '[{"router": "r1", "name": 1}]', "router 1: unknown key 'name'; known keys: router"),
        ("t.json", '[{"router": "r1"}, {}]', "router 2: router: None must be text"),
        ("t.json", '[{"router": "r1", "variables": {"a": 1}}]', "router 1: variables: {'a': 1} must be"),
        ("missing.csv", None, "No such file or directory"),
    ],
)
def test_bad_targets_are_one_line(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_targets(path, {})

    assert str(caught.value).startswith(f"--targets: {path}: {message}")


def test_json_of_a_fleet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps([{"router": f"r{number}"} for number in range(3000)]))

    assert len(read_targets(path, {})) == 3000
