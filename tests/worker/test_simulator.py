"""The simulated routers and their ledger."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tests.worker.conftest import running, wait_for_port
from tests.worker.support import eventually
from worker.demo.embedded import free_port
from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    RouterDriftedError,
    RouterUnknownError,
    RouterUnreachableError,
)
from worker.routers.driver import Change, Confirmation, RouterState, Undo, Undone
from worker.routers.inventory import RouterRecord
from worker.routers.simulated import SimulatedDriver
from worker.simulator.client import SimulatorClient, SimulatorError, tally
from worker.simulator.store import Fault, Router, Store

BEFORE = ("hostname old", "ntp server 192.0.2.1")
AFTER = ("hostname new", "ntp server 192.0.2.1")
R1 = RouterRecord("r1", "chogar", "simulated")
APPLY = Change(R1, "w/r/apply", "1", AFTER, 600)
CONFIRM = Confirmation(R1, "w/r/confirm", "w/r/apply")
UNDO = Undo(R1, "w/r/undo", "w/r/apply", BEFORE)


@pytest.fixture
async def driver(
    session: aiohttp.ClientSession, routers_url: str, routers: SimulatorClient
) -> SimulatedDriver:
    await routers.put_router("r1", "chogar", running=BEFORE)
    return SimulatedDriver(session, routers_url)


async def outcomes(routers: SimulatorClient) -> list[tuple[str, str, int]]:
    return [(e.idempotency_key, e.outcome.value, e.revision) for e in await routers.ledger()]


async def test_apply_twice_changes_once(driver: SimulatedDriver, routers: SimulatorClient) -> None:
    assert [await driver.apply(APPLY), await driver.apply(APPLY)] == ["2", "2"]

    assert await driver.read(R1) == RouterState("r1", "chogar", "simulated", "2", AFTER)
    assert await outcomes(routers) == [("w/r/apply", "applied", 2), ("w/r/apply", "duplicate", 2)]


async def test_apply_fifty_times_at_once_changes_once(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    revisions = await asyncio.gather(*(driver.apply(APPLY) for _ in range(50)))

    assert set(revisions) == {"2"}
    assert (tally(await routers.ledger()).applied, tally(await routers.ledger()).duplicates) == (1, 49)


async def test_apply_to_another_revision_changes_nothing(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    with pytest.raises(RouterDriftedError, match=r"^r1: is at revision 1, not 7$"):
        await driver.apply(Change(R1, "k", "7", AFTER, 600))

    assert (await driver.read(R1)).running == BEFORE
    assert await outcomes(routers) == []


async def test_half_applied_stays_so_until_undone(driver: SimulatedDriver, routers: SimulatorClient) -> None:
    await routers.set_fault("r1", Fault.HALF_APPLIED)
    for _ in range(2):
        with pytest.raises(ChangeHalfAppliedError):
            await driver.apply(APPLY)
    assert (await driver.read(R1)).running == ("hostname new",)

    assert [await driver.undo(UNDO), await driver.undo(UNDO)] == [Undone("3", True), Undone("3", True)]

    assert (await driver.read(R1)).running == BEFORE
    assert await outcomes(routers) == [
        ("w/r/apply", "half-applied", 2),
        ("w/r/apply", "duplicate", 2),
        ("w/r/undo", "applied", 3),
        ("w/r/undo", "duplicate", 3),
    ]


async def test_confirmed_change_stays(driver: SimulatedDriver, routers: SimulatorClient) -> None:
    await driver.apply(replace(APPLY, confirm_seconds=0.3))

    assert [await driver.confirm(CONFIRM), await driver.confirm(CONFIRM)] == ["2", "2"]

    await asyncio.sleep(0.4)  # past the time at which the router would have undone it
    assert (await driver.read(R1)).running == AFTER
    assert await outcomes(routers) == [
        ("w/r/apply", "applied", 2),
        ("w/r/confirm", "applied", 2),
        ("w/r/confirm", "duplicate", 2),
    ]


@pytest.mark.parametrize("fault", [None, Fault.HALF_APPLIED])
async def test_change_that_nobody_confirms_is_undone_by_the_router(
    driver: SimulatedDriver, routers: SimulatorClient, fault: Fault | None
) -> None:
    change = replace(APPLY, confirm_seconds=0)
    if fault is None:
        await driver.apply(change)
    else:
        await routers.set_fault("r1", fault)
        with pytest.raises(ChangeHalfAppliedError):
            await driver.apply(change)

    assert (await driver.read(R1)) == RouterState("r1", "chogar", "simulated", "3", BEFORE)
    with pytest.raises(ChangeRevertedError):
        await driver.confirm(CONFIRM)
    with pytest.raises(ChangeRevertedError):
        await driver.apply(change)
    assert [await driver.undo(UNDO), await driver.undo(UNDO)] == [Undone("3", True), Undone("3", True)]
    assert (await driver.read(R1)).running == BEFORE


async def test_lying_router_answers_well_and_changes_nothing(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    await routers.set_fault("r1", Fault.LYING)

    assert [await driver.apply(APPLY), await driver.apply(APPLY)] == ["2", "2"]

    assert (await driver.read(R1)) == RouterState("r1", "chogar", "simulated", "1", BEFORE)
    assert await driver.undo(UNDO) == Undone("1", False)


async def test_change_undone_before_it_arrives_never_does(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    assert await driver.undo(UNDO) == Undone("1", False)
    with pytest.raises(ChangeWithdrawnError):
        await driver.apply(APPLY)

    assert (await driver.read(R1)).running == BEFORE
    assert [outcome for _, outcome, _ in await outcomes(routers)] == [
        "withdrawn",
        "nothing-to-undo",
        "duplicate",
    ]


async def test_faults_end_after_their_number_of_times(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    await routers.set_fault("r1", Fault.UNREACHABLE, times=2)
    for _ in range(2):
        with pytest.raises(RouterUnreachableError, match=r"^r1: cannot be reached$"):
            await driver.read(R1)

    assert (await driver.read(R1)).revision == "1"


async def test_slow_router_changes_at_once_and_answers_late(
    driver: SimulatedDriver, routers: SimulatorClient
) -> None:
    await routers.set_fault("r1", Fault.SLOW, delay_seconds=30)
    applying = asyncio.create_task(driver.apply(APPLY))

    async def is_changed() -> bool:
        return (await driver.read(R1)).revision == "2"

    await eventually(is_changed)
    assert not applying.done()
    applying.cancel()


async def test_driver_tells_errors_apart(driver: SimulatedDriver, session: aiohttp.ClientSession) -> None:
    with pytest.raises(RouterUnknownError):
        await driver.read(RouterRecord("r2", "chogar", "simulated"))
    with pytest.raises(RouterUnreachableError, match=r"^r1: no answer from http://127.0.0.1:1/"):
        await SimulatedDriver(session, "http://127.0.0.1:1").read(R1)


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/routers/r9", b"[", "body is not JSON"),
        ("/routers/r9", b"[]", "body must be a JSON object"),
        ("/routers/r9", b"{}", "tenant: None must be text"),
        ("/routers/r9", b'{"tenant": "t", "running": [1]}', "running: [1] must be a list of lines"),
        (
            "/routers/r9",
            b'{"tenant": "t", "latency_seconds": -1}',
            "latency_seconds: -1.0 must be from 0 to 3600",
        ),
        ("/routers/r1/faults/broken", b"{}", "fault: 'broken' cannot be used"),
        ("/routers/r1/faults/slow", b'{"times": "x"}', "times: 'x' cannot be used"),
    ],
)
@pytest.mark.usefixtures("driver")
async def test_bad_request_is_one_line(
    session: aiohttp.ClientSession, routers_url: str, path: str, body: bytes, detail: str
) -> None:
    async with session.put(f"{routers_url}{path}", data=body) as response:
        answer = await response.json()

    assert (response.status, answer["error"]) == (400, "bad-request")
    assert str(answer["detail"]).startswith(detail)


async def test_client_reads_the_ledger_page_by_page(
    tmp_path: Path, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.simulator.store.LEDGER_PAGE", 2)
    from worker.simulator.service import Service

    store = Store(tmp_path / "other.sqlite3")
    store.put_router(Router("r1", "t", "lab", "simulated", 0, 1, BEFORE))
    for number in range(5):
        store.apply("r1", f"w/{number}", number + 1, AFTER)
    async with TestServer(Service(store).application()) as server:
        client = SimulatorClient(session, str(server.make_url("")))

        assert [e.idempotency_key for e in await client.ledger("w/")] == ["w/0", "w/1", "w/2", "w/3", "w/4"]
        assert [e.idempotency_key for e in await client.ledger("w/3")] == ["w/3"]
        with pytest.raises(SimulatorError, match=r"refuses: there is no such router$"):
            await client.get_router("r2")


def test_ledger_cannot_be_rewritten(tmp_path: Path) -> None:
    store = Store(tmp_path / "ledger.sqlite3")
    store.put_router(Router("r1", "t", "lab", "simulated", 0, 1, BEFORE))
    store.apply("r1", "k", 1, AFTER)
    store.close()
    database = sqlite3.connect(tmp_path / "ledger.sqlite3")
    for statement in ("DELETE FROM ledger", "UPDATE ledger SET outcome = 'duplicate'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute(statement)
    database.close()


async def test_killed_simulator_keeps_every_answered_change(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "worker.simulator",
        "--listen",
        f"127.0.0.1:{port}",
        "--data",
        str(tmp_path),
    ]
    url = f"http://127.0.0.1:{port}"
    routers, driver = SimulatorClient(session, url), SimulatedDriver(session, url)
    answered: list[str] = []
    with running(command, tmp_path / "log", {}) as process:
        wait_for_port(port)
        await routers.put_router("r1", "t", running=BEFORE)

        async def change_until_killed() -> None:
            while True:
                answered.append(
                    await driver.apply(Change(R1, f"k{len(answered)}", str(len(answered) + 1), AFTER, 600))
                )

        changing = asyncio.create_task(change_until_killed())
        await asyncio.sleep(0.3)
        process.kill()
        with pytest.raises(RouterUnreachableError):
            await changing

    with running(command, tmp_path / "log", {}):
        wait_for_port(port)
        applied = tally(await routers.ledger()).applied
        revision = (await driver.read(R1)).revision

    assert len(answered) > 5
    # The change under way when it was killed may have been made without an answer.
    assert applied in {len(answered), len(answered) + 1}
    assert revision == str(applied + 1)
