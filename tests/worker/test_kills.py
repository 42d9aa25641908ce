"""Workers killed by SIGKILL at ten points of a rollout of 20 routers: nothing lost, nothing done twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.client import Client, WorkflowHistory

from tests.worker.record_histories import HISTORIES
from worker.bench.gate import Gate, Trip, Trips
from worker.bench.kill_check import ending_faults, ledger_faults, log_faults, replay_faults
from worker.bench.kill_points import POINTS, ROUTERS_MIN, SOAK, victims
from worker.bench.kills import Result, kill_at_every_point
from worker.demo.embedded import Target, free_port, part
from worker.models.rollout import Ending, RolloutPhase, RolloutReport
from worker.simulator.client import SimulatorClient
from worker.simulator.store import Entry, Kind, Outcome

NAMES = ("r0", "r1", "r2")
GOOD = RolloutReport(
    "chogar", "kills", RolloutPhase.COMPLETED, {}, dict.fromkeys(NAMES, Ending.DEPLOYED), (), 1.0
)
MET = {SOAK: 1.0, **{point.name: 2.0 for point in POINTS}}


# Eleven workers die and are replaced; most of the time is spent noticing that they are dead.
@pytest.mark.timeout(180)
async def test_killed_workers_leave_every_router_deployed_or_rolled_back(
    temporal_address: str, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    routers = f"127.0.0.1:{free_port()}"
    command = (sys.executable, "-m", "worker.simulator", "--listen", routers, "--data", str(tmp_path))
    async with part(tmp_path / "simulator.log", command) as simulator:

        async def is_up() -> bool:
            try:
                async with session.get(f"http://{routers}/healthz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await simulator.wait_until(is_up)
        target = Target({"TEMPORAL_ADDRESS": temporal_address}, f"http://{routers}", "")
        result = await kill_at_every_point(target, tmp_path, 20, print)

    assert (result.verdict, result.faults) == ("PASS", ())
    assert result.counts == {"deployed": 18, "rolled-back": 2}
    assert set(result.met) == set(MET)
    assert (result.killed >= 11, result.runs) == (True, 2)
    # What was done and not reported was asked for again: the change, its confirmation and the roll-back.
    assert result.duplicates >= 3


def test_points_are_met_at_routers_of_their_own_and_none_at_the_canary() -> None:
    for size in (ROUTERS_MIN, 20, 200):
        routers = [f"r{number}" for number in range(size)]
        met = victims(routers)

        assert list(met.values()) == list(POINTS)
        assert routers[0] not in met


async def test_gate_trips_once_before_or_after_the_router(
    routers: SimulatorClient, routers_url: str, session: aiohttp.ClientSession
) -> None:
    for name in ("unsent", "unreported"):
        await routers.put_router(name, "chogar", running=("hostname old",))
    trips = Trips(
        {"unsent": Trip("POST", "changes"), "unreported": Trip("POST", "changes", count=2, is_answered=True)}
    )
    seen: list[str] = []

    async with Gate(routers_url, trips, seen.append).serve() as url:

        async def change(router: str, key: str, revision: int) -> int:
            body: dict[str, Any] = {"idempotency_key": key, "expected_revision": revision, "running": [key]}
            async with session.post(f"{url}/routers/{router}/changes", json=body) as answer:
                return answer.status

        assert [await change("unsent", "a", 1), seen] == [503, ["unsent"]]
        assert (await routers.get_router("unsent"))["running"] == ["hostname old"]
        assert [await change("unsent", "a", 1), seen] == [200, ["unsent"]]
        assert [await change("unreported", "b", 1), seen] == [200, ["unsent"]]
        assert [await change("unreported", "c", 2), seen] == [200, ["unsent", "unreported"]]
        assert (await routers.get_router("unreported"))["running"] == ["c"]


def steps(router: str, *kinds: Kind) -> Iterator[tuple[str, Kind, Outcome]]:
    yield from ((router, kind, Outcome.APPLIED) for kind in kinds)


def kept(*routers: str) -> list[tuple[str, Kind, Outcome]]:
    return [step for router in routers for step in steps(router, Kind.APPLY, Kind.CONFIRM)]


@pytest.mark.parametrize(
    ("undone", "done", "faults"),
    [
        ([], kept(*NAMES), []),
        ([], [*kept(*NAMES), ("r2", Kind.APPLY, Outcome.DUPLICATE)], []),
        ([], kept("r0", "r1"), ["r2: nothing, should be apply applied, confirm applied"]),
        (
            [],
            [*kept(*NAMES), *steps("r2", Kind.APPLY)],
            ["r2: apply applied, confirm applied, apply applied, should be apply applied, confirm applied"],
        ),
        (
            [],
            [*kept("r0", "r1"), *steps("r2", Kind.APPLY, Kind.REVERT)],
            ["r2: apply applied, revert applied, should be apply applied, confirm applied"],
        ),
        (
            [],
            [*kept(*NAMES), *steps("r9", Kind.APPLY)],
            ["r9: apply applied, should be apply applied, confirm applied"],
        ),
        (["r2"], [*kept("r0", "r1"), *steps("r2", Kind.APPLY, Kind.ROLLBACK)], []),
        (
            ["r2"],
            kept(*NAMES),
            ["r2: apply applied, confirm applied, should be apply applied, rollback applied"],
        ),
    ],
)
def test_ledger_tells_what_went_wrong(
    undone: list[str], done: list[tuple[str, Kind, Outcome]], faults: list[str]
) -> None:
    entries = [
        Entry(number, 0.0, router, "key", kind, outcome, 1)
        for number, (router, kind, outcome) in enumerate(done)
    ]

    assert ledger_faults(NAMES, undone, entries) == faults


def test_report_tells_what_went_wrong() -> None:
    short = replace(GOOD, outcome=RolloutPhase.ABORTED, endings={**GOOD.endings, "r2": Ending.NOT_REACHED})

    assert ending_faults(NAMES, [], GOOD) == []
    assert ending_faults(NAMES, ["r1"], GOOD) == ["r1: deployed, should be rolled-back"]
    assert ending_faults(NAMES, [], short) == [
        "r2: not-reached, should be deployed",
        "rollout: aborted, should be completed",
    ]


def test_log_tells_of_histories_that_do_not_fit(tmp_path: Path) -> None:
    log = tmp_path / "worker-3.log"
    log.write_text("serving\n[TMPRL1100] Nondeterminism error: no command scheduled\nstopped\n")

    assert log_faults(log) == ["worker-3: [TMPRL1100] Nondeterminism error: no command scheduled"]


async def test_replay_tells_of_histories_that_do_not_fit(client: Client) -> None:
    text = (HISTORIES / "fleet_rollout_completed.json").read_text()
    good = WorkflowHistory.from_json("good", text)
    bad = WorkflowHistory.from_json("bad", text.replace('"RouterDeployment"', '"Another"'))

    assert await replay_faults(client, [good], "chogar", []) == []
    (fault,) = await replay_faults(client, [bad], "chogar", [])
    assert "TMPRL1100" in fault


def test_verdict_is_invalid_before_it_is_bad() -> None:
    good = Result(MET, 11, {}, 3, 2, 1.0, ())
    missed = {SOAK: 1.0}

    assert good.verdict == "PASS"
    assert replace(good, faults=("x",)).verdict == "FAIL"
    assert replace(good, met=missed, faults=("x",)).verdict == "INVALID"
