"""`routers deploy` and what may be said to a deployment: every exit code, on the dev server."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.support import Cli
from tests.worker.support import Bench, eventually
from worker.simulator.store import Fault


def command(bench: Bench, router: str, template: Path, *more: str) -> list[str]:
    given = ["deploy", router, "--tenant", bench.tenant.name, "--template", str(template)]
    return [*given, "--var", "name=new", "--change", "CHG-1", "--site", "madrid", *more]


async def test_good_deployment_for_machines(cli: Cli, bench: Bench, template: Path) -> None:
    router = await bench.router()
    answer = await cli(*command(bench, router, template, "--requested-by", "ana", "--json"))

    report = answer.json
    phases = [step["phase"] for step in report.pop("phases")]
    for changing in ("run_id", "started", "ended", "seconds", "revision"):
        assert report.pop(changing)
    assert (answer.code, answer.errors) == (0, "")
    assert phases == ["precheck", "backup", "render", "diff", "apply", "verify", "confirm", "deployed"]
    assert report == {
        "kind": "deployment",
        "workflow_id": f"deploy-{bench.tenant.name}-{router}",
        "tenant": bench.tenant.name,
        "router": router,
        "site": "madrid",
        "platform": "simulated",
        "change_id": "CHG-1",
        "requested_by": "ana",
        "phase": "deployed",
        "ending": "completed",
        "is_cancelling": False,
        "commands": ["no hostname old", "hostname new"],
        "checks": ["configuration", "neighbours-up"],
        "decision": None,
        "failure": "",
        "failure_type": "",
        "cause_type": "",
        "exit_code": 0,
    }


async def test_good_deployment_for_people(cli: Cli, bench: Bench, template: Path) -> None:
    router = await bench.router()
    answer = await cli(*command(bench, router, template))

    words = [line.split()[-1] for line in answer.output.splitlines()[:4]]
    assert (answer.code, answer.errors) == (0, "")
    assert words == ["precheck", "backup", "render", "diff"]
    assert "           no hostname old\n           hostname new\n" in answer.output
    assert answer.output.splitlines()[-1].startswith(f"{router}: deployed in ")


async def test_unchanged_is_good(cli: Cli, bench: Bench, template: Path) -> None:
    router = await bench.router()
    await cli(*command(bench, router, template))
    answer = await cli(*command(bench, router, template, "--json"))

    assert (answer.code, answer.json["phase"], answer.json["commands"]) == (0, "unchanged", [])


@pytest.mark.parametrize(
    ("fault", "options", "phase", "kinds"),
    [
        (None, ["--expect", "no-such"], "refused", ("DeploymentRefused", "RouterDrifted")),
        (Fault.REFUSE_VERIFY, [], "rolled-back", ("DeploymentRolledBack", "ChecksFailed")),
    ],
)
async def test_what_is_not_deployed_exits_3(
    cli: Cli, bench: Bench, template: Path, fault: Fault | None, options: list[str], phase: str, kinds: Any
) -> None:
    router = await bench.router()
    if fault is not None:
        await bench.routers.set_fault(router, fault, times=10)
    answer = await cli(*command(bench, router, template, "--json", *options))

    assert (answer.code, answer.json["phase"], answer.json["ending"]) == (3, phase, "failed")
    assert (answer.json["failure_type"], answer.json["cause_type"]) == kinds
    assert answer.json["failure"].startswith(f"{kinds[1]}: {router}: ")
    assert (await bench.running(router))[0] == "hostname old"


async def test_failed_roll_back_exits_4(cli: Cli, bench: Bench, template: Path) -> None:
    router = await bench.router()
    bench.driver.before_check.add(router)
    answer = await cli(*command(bench, router, template))

    assert answer.code == 4
    assert answer.output.splitlines()[-1].startswith(f"{router}: rollback-failed in ")


async def test_terminated_before_apply_left_the_router_alone(cli: Cli, bench: Bench) -> None:
    started = await bench.start(await bench.router(latency_seconds=5))
    await started.handle.terminate(reason="by the test")
    answer = await cli("report", started.handle.id, "--json")

    assert (answer.code, answer.json["ending"], answer.json["failure"]) == (
        3,
        "terminated",
        "terminated: by the test",
    )


async def test_approval(cli: Cli, bench: Bench, template: Path) -> None:
    router, name = await bench.router(), bench.tenant.name
    options = ("--approval", "--requested-by", "ana", "--no-wait", "--json")
    started = await cli(*command(bench, router, template, *options))
    assert (started.code, started.json["ending"]) == (0, "open")

    async def waits() -> bool:
        answer = await cli("report", router, "--tenant", name, "--json")
        return answer.json["phase"] == "awaiting-approval"

    await eventually(waits)
    own = await cli("approve", router, "--tenant", name, "--by", "ana")
    assert (own.code, own.errors) == (
        2,
        f"{router}: by: 'ana' asked for this change; somebody else must decide\n",
    )
    approved = await cli("--tenant", name, "approve", router, "--by", "eva", "--comment", "looks good")
    assert (approved.code, approved.output) == (0, f"deploy-{name}-{router}: approved by eva\n")
    watched = await cli("watch", f"deploy-{name}-{router}")
    assert (watched.code, "deployed in" in watched.output) == (0, True)
    report = await cli("report", router, "--tenant", name, "--json")
    assert report.json["decision"] == {"by": "eva", "is_approved": True, "comment": "looks good"}
    late = await cli("approve", router, "--tenant", name, "--by", "eva")
    assert (late.code, late.errors.startswith(f"deploy-{name}-{router}: has ended at ")) == (1, True)


async def test_rejection_touches_nothing(cli: Cli, bench: Bench, template: Path) -> None:
    router, name = await bench.router(), bench.tenant.name
    started = await cli(*command(bench, router, template, "--approval", "--no-wait", "--json"))
    workflow_id = started.json["workflow_id"]

    async def rejected() -> bool:
        return (await cli("reject", workflow_id, "--by", "eva")).code == 0

    await eventually(rejected)
    watched = await cli("watch", router, "--tenant", name)

    assert watched.code == 3
    assert watched.output.splitlines()[-1].endswith("refused by eva")
    assert (await bench.running(router))[0] == "hostname old"


async def test_busy_router_says_whose_change_it_is(cli: Cli, bench: Bench, template: Path) -> None:
    router, name = await bench.router(), bench.tenant.name
    waiting = command(bench, router, template, "--approval", "--requested-by", "ana")
    await cli(*waiting, "--no-wait")
    joined = await cli(*waiting, "--no-wait", "--json")
    other = [part.replace("CHG-1", "CHG-2") for part in waiting]
    refused = await cli(*other, "--json")
    changed = [part.replace("name=new", "name=newer") for part in waiting]
    differing = await cli(*changed)
    cancelled = await cli("cancel", router, "--tenant", name)
    again = await cli("cancel", router, "--tenant", name)

    whole = f"deploy-{name}-{router}"
    ways = f"is under way; wait for it (routers watch {whole}) or undo it (routers cancel {whole})"
    assert (joined.code, joined.json["change_id"]) == (0, "CHG-1")
    assert (refused.code, refused.errors) == (1, f"{router}: change CHG-1 of ana {ways}\n")
    assert (refused.json["error"], refused.json["exit_code"]) == ("RouterBusy", 1)
    assert differing.errors == f"{router}: change CHG-1 of ana with other contents {ways}\n"
    assert (cancelled.code, cancelled.output.splitlines()[-1].partition(" in ")[0]) == (
        0,
        f"{router}: cancelled, refused",
    )
    assert (again.code, "has ended at" in again.errors) == (1, True)


async def test_trouble_is_told_while_it_lasts(cli: Cli, bench: Bench, template: Path) -> None:
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.UNREACHABLE, times=3)
    answer = await cli(*command(bench, router, template))

    assert answer.code == 0
    assert f"of precheck: {router}: cannot be reached" in answer.output


async def test_interrupted_deployment_goes_on(cli: Cli, bench: Bench, template: Path) -> None:
    async def interrupt(number: signal.Signals) -> tuple[int | None, str, str]:
        router = await bench.router()
        process = await cli.process(*command(bench, router, template, "--approval"))
        assert process.stdout is not None
        while b"awaiting-approval" not in (line := await process.stdout.readline()):
            assert line, "the command ended"
        process.send_signal(number)
        _, errors = await process.communicate()
        whole = f"deploy-{bench.tenant.name}-{router}"
        return process.returncode, whole, errors.decode()

    for code, whole, errors in await asyncio.gather(interrupt(signal.SIGINT), interrupt(signal.SIGTERM)):
        description = await bench.client.get_workflow_handle(whole).describe()
        assert (code, description.close_time) == (130, None)
        assert errors == (
            f"{whole} goes on; `routers watch {whole}` shows it, `routers cancel {whole}` undoes it\n"
        )
        await bench.client.get_workflow_handle(whole).terminate()
