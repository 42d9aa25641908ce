"""Real FRR routers: six deployments through Temporal, and what becomes of a change when something goes wrong.

Needs no cluster: `lab routers up` and Temporal's embedded dev server. All in one file, because the routers are
one fleet.
"""

from __future__ import annotations

import asyncio
import fcntl
import secrets
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from lab.cluster import machine
from lab.routers.layout import customers
from lab.routers.state import State
from tests.live.conftest import lab
from tests.live.frr import PREFIXES, PROVIDER_ADDRESS, Fleet, dev_server, wait_for, waiters, worker
from worker.administration.namespaces import reconcile_all
from worker.client import connect
from worker.demo.deployments import DEFAULT_TENANTS, plan_frr, with_wrong_neighbour
from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    CredentialsRefusedError,
    RouterDriftedError,
    RouterUnreachableError,
)
from worker.models.deployment import CheckSpec, Phase
from worker.routers.credentials import CredentialStore
from worker.routers.driver import BGP_SESSION, ROUTE, Change, Confirmation, Undo
from worker.routers.frr import FrrDriver
from worker.routers.inventory import Inventory
from worker.routers.rendering import render
from worker.starting.starter import result_of, start_deployment

NAMES = [router.name for router in customers(6)]


@pytest.fixture(scope="module")
def fleet():
    state = State()
    was_up = bool(state.wanted())
    lab("routers", "up")
    yield Fleet(state, Inventory.load(state.inventory), FrrDriver(CredentialStore(state.credentials)))
    if not was_up:
        lab("routers", "down")


@pytest.fixture(scope="module")
def temporal(tmp_path_factory):
    with dev_server(tmp_path_factory.mktemp("temporal")) as address:
        asyncio.run(_reconcile(address))
        yield address


async def _reconcile(address: str) -> None:
    await reconcile_all(await connect({"TEMPORAL_ADDRESS": address}), DEFAULT_TENANTS.all_namespaces())


@pytest.fixture
async def client(temporal) -> Client:
    return await connect({"TEMPORAL_ADDRESS": temporal}, namespace=DEFAULT_TENANTS.shared_namespace)


@pytest.fixture
def tenants_file(tmp_path) -> Path:
    path = tmp_path / "tenants.json"
    path.write_text(DEFAULT_TENANTS.to_json())
    return path


def plan(fleet: Fleet):
    return plan_frr(DEFAULT_TENANTS, fleet.inventory, secrets.token_hex(2))


async def deploy(client: Client, deployments) -> list[Phase]:
    started = [await start_deployment(client, item.tenant, item.request) for item in deployments]
    return [result.phase for result in await asyncio.gather(*(result_of(one.handle) for one in started))]


async def test_six_deployments_bring_six_sessions_up(fleet, client, tmp_path, tenants_file) -> None:
    with worker(tmp_path, client, tenants_file, fleet.state):
        assert await deploy(client, plan(fleet)) == [Phase.DEPLOYED] * 6

    status = fleet.status()
    assert {row["name"]: row["session"] for row in status["routers"]} == dict.fromkeys(NAMES, "Established")
    assert [sorted(PREFIXES - set(row["routes"])) for row in status["routers"]] == [[]] * 6
    own = {router.own_network for router in customers(6)}
    wait_for(lambda: own <= set(fleet.status()["provider"]["routes"]), "the provider learns the six networks")


async def test_a_wrong_neighbour_is_rolled_back_and_the_old_sessions_stand(
    fleet, client, tmp_path, tenants_file
) -> None:
    deployments = plan(fleet)
    with worker(tmp_path, client, tenants_file, fleet.state):
        await deploy(client, deployments)
        before = {name: fleet.session(name) for name in NAMES}
        configuration = fleet.ask("mad-1", "show running-config")
        wrong = with_wrong_neighbour(deployments[0])
        with pytest.raises(WorkflowFailureError) as caught:
            await deploy(client, [wrong])

    assert caught.value.cause.type == "DeploymentRolledBack"  # pyright: ignore[reportAttributeAccessIssue]
    assert f"bgp-session {PROVIDER_ADDRESS}" in str(caught.value.cause)
    assert fleet.ask("mad-1", "show running-config") == configuration
    wait_for(lambda: fleet.session("mad-1")[0] == "Established", "the old session of mad-1 is up again")
    assert {state for state, _ in before.values()} == {"Established"}
    assert {name: fleet.session(name) for name in NAMES[1:]} == {name: before[name] for name in NAMES[1:]}


async def test_a_worker_killed_between_apply_and_report_has_applied_once(
    fleet, client, tmp_path, tenants_file
) -> None:
    deployment = plan(fleet)[0]
    name = deployment.request.router
    await fleet.driver.ledger(fleet.record(name))  # makes the lock's file where nothing was ever applied
    with (
        worker(tmp_path, client, tenants_file, fleet.state) as doomed,
        fleet.lock_file(name).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = await start_deployment(client, deployment.tenant, deployment.request)
        await asyncio.to_thread(
            wait_for, lambda: waiters(fleet.lock_file(name)), "apply has reached the router"
        )
        doomed.send_signal(signal.SIGSTOP)
        fcntl.flock(lock, fcntl.LOCK_UN)
        description = deployment.request.variables["change"]
        wait_for(lambda: description in fleet.ask(name, "show running-config"), "the router takes the change")
        # The step is over on the router when it lets go of the lock; its answer meets a worker that stands still.
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_UN)
        doomed.kill()
        doomed.wait()
    with worker(tmp_path, client, tenants_file, fleet.state):
        result = await result_of(started.handle)

    assert result.phase is Phase.DEPLOYED
    keys = f"{started.handle.id}/{started.run_id}/"
    events = await fleet.driver.ledger(fleet.record(name))
    kinds = Counter(event["kind"] for event in events if event["key"].startswith(keys))
    assert (kinds["apply"], kinds["duplicate"] >= 1, kinds["confirm"]) == (1, True, 1)


@pytest.fixture
async def change(fleet):
    """A change of one router that would be well."""
    request = next(item.request for item in plan(fleet) if item.request.router == "vgo-1")
    record = fleet.record(request.router)
    state = await fleet.driver.read(record)
    lines = render(record.name, request.template, request.variables, record.platform)
    return Change(record, secrets.token_hex(8), state.revision, lines, 60)


async def revision(fleet: Fleet, change: Change) -> str:
    return (await fleet.driver.read(change.router)).revision


async def kinds(fleet: Fleet, change: Change) -> list[str]:
    return [e["kind"] for e in await fleet.driver.ledger(change.router) if e["key"] == change.idempotency_key]


async def until_reverted(fleet: Fleet, change: Change) -> None:
    for _ in range(60):
        try:
            if "revert" in await kinds(fleet, change):
                return
        except RouterUnreachableError:
            pass
        await asyncio.sleep(0.5)
    pytest.fail("the router has not undone the change")


async def test_an_unconfirmed_change_is_undone_by_the_router_itself(fleet, change) -> None:
    change = replace(change, confirm_seconds=3)
    assert await fleet.driver.apply(change) != change.expected_revision

    await until_reverted(fleet, change)

    assert await revision(fleet, change) == change.expected_revision
    with pytest.raises(ChangeRevertedError):
        await fleet.driver.apply(change)
    with pytest.raises(ChangeRevertedError):
        await fleet.driver.confirm(Confirmation(change.router, "c", change.idempotency_key))
    undone = await fleet.driver.undo(Undo(change.router, "u", change.idempotency_key, ()))
    assert (undone.revision, undone.is_restored) == (change.expected_revision, True)


async def test_a_change_that_cuts_the_router_off_is_undone_by_the_router_itself(fleet, change) -> None:
    change = replace(change, confirm_seconds=5, lines=(*change.lines, "interface eth0", " shutdown"))

    with pytest.raises((RouterUnreachableError, TimeoutError)):
        await asyncio.wait_for(fleet.driver.apply(change), 4)
    await until_reverted(fleet, change)

    assert await revision(fleet, change) == change.expected_revision


async def test_a_confirmed_change_stays_and_survives_a_power_cut(fleet, change) -> None:
    applied = await fleet.driver.apply(replace(change, confirm_seconds=4))
    assert await fleet.driver.confirm(Confirmation(change.router, "c", change.idempotency_key)) == applied
    assert await fleet.driver.confirm(Confirmation(change.router, "c", change.idempotency_key)) == applied
    await asyncio.sleep(5)  # past the time at which it would have been undone
    assert await revision(fleet, change) == applied

    await power_cycle(fleet, change.router.name)

    assert await revision(fleet, change) == applied
    assert await kinds(fleet, change) == ["apply", "confirm"]


async def test_an_unconfirmed_change_is_gone_after_a_power_cut(fleet, change) -> None:
    saved = fleet.ask(change.router.name, "write memory")
    assert "[OK]" in saved
    await fleet.driver.apply(change)

    await power_cycle(fleet, change.router.name)

    assert await revision(fleet, change) == change.expected_revision
    with pytest.raises(ChangeRevertedError):
        await fleet.driver.confirm(Confirmation(change.router, "c", change.idempotency_key))


async def power_cycle(fleet: Fleet, name: str) -> None:
    machine.kill(fleet.state.folder(fleet.router(name)))
    await asyncio.to_thread(lab, "routers", "up")


async def test_applied_once_however_often_it_is_asked_for(fleet, change) -> None:
    answers = await asyncio.gather(*(fleet.driver.apply(change) for _ in range(3)))
    undo = Undo(change.router, "u", change.idempotency_key, ())
    undone = await asyncio.gather(*(fleet.driver.undo(undo) for _ in range(3)))

    assert len(set(answers)) == 1
    assert {(one.revision, one.is_restored) for one in undone} == {(change.expected_revision, True)}
    with pytest.raises(ChangeWithdrawnError):
        await fleet.driver.apply(change)
    assert Counter(await kinds(fleet, change)) == {"apply": 1, "duplicate": 3, "rollback": 1}


async def test_a_change_that_was_undone_before_it_came_is_barred(fleet, change) -> None:
    undone = await fleet.driver.undo(Undo(change.router, "u", change.idempotency_key, ()))

    assert (undone.revision, undone.is_restored) == (change.expected_revision, False)
    with pytest.raises(ChangeWithdrawnError):
        await fleet.driver.apply(change)
    assert await revision(fleet, change) == change.expected_revision


async def test_a_line_that_frr_refuses_leaves_it_half_applied_until_undone(fleet, change) -> None:
    change = replace(
        change, lines=(*change.lines, "router bgp 65016", f" neighbor {PROVIDER_ADDRESS} nonsense")
    )

    with pytest.raises(ChangeHalfAppliedError, match="nonsense"):
        await fleet.driver.apply(change)
    assert await revision(fleet, change) != change.expected_revision
    undone = await fleet.driver.undo(Undo(change.router, "u", change.idempotency_key, ()))

    assert (undone.revision, undone.is_restored) == (change.expected_revision, True)
    assert await revision(fleet, change) == change.expected_revision


async def test_what_somebody_else_changed_is_neither_overwritten_nor_undone(fleet, change) -> None:
    fleet.ask(change.router.name, "configure terminal", "ip prefix-list by-hand permit any")
    try:
        with pytest.raises(RouterDriftedError):
            await fleet.driver.apply(change)
        expected = await revision(fleet, change)
        await fleet.driver.apply(replace(change, expected_revision=expected, confirm_seconds=8))
        fleet.ask(change.router.name, "configure terminal", "ip prefix-list by-hand-again permit any")
        with pytest.raises(RouterDriftedError):
            await fleet.driver.confirm(Confirmation(change.router, "c", change.idempotency_key))
        with pytest.raises(RouterDriftedError):
            await fleet.driver.undo(Undo(change.router, "u", change.idempotency_key, ()))
        await until_reverted(fleet, change)
        assert await revision(fleet, change) == expected
    finally:
        fleet.ask(change.router.name, "configure terminal", "no ip prefix-list by-hand")


async def test_checks_say_what_is_wrong(fleet, change, monkeypatch) -> None:
    monkeypatch.setattr("worker.routers.frr.SETTLE_SECONDS", 0.0)
    specs = (
        CheckSpec(BGP_SESSION, "192.0.2.9"),
        CheckSpec(ROUTE, "192.0.2.0/24"),
        CheckSpec(ROUTE, "nonsense"),
    )

    checks = await fleet.driver.check(change.router, ("hostname other",), specs)

    assert [check.is_passed for check in checks] == [False] * 4
    assert [check.detail for check in checks[1:]] == ["no such neighbour", "no such route", "no such route"]


async def test_who_is_not_let_in_or_not_there(fleet, change) -> None:
    other = fleet.record("mad-1").options["host_key"]
    impostor = replace(change.router, options={**change.router.options, "host_key": other})
    with pytest.raises(CredentialsRefusedError, match="another host key"):
        await fleet.driver.read(impostor)
    with pytest.raises(RouterUnreachableError):
        await fleet.driver.read(replace(change.router, host="172.31.0.250"))
    with pytest.raises(RouterUnreachableError):
        await fleet.driver.read(replace(change.router, port=23))


async def test_a_stranger_is_refused(fleet, change, tmp_path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "username").write_text("root")
    (tmp_path / "lab" / "private_key").write_text(fleet.state.key.read_text())

    with pytest.raises(CredentialsRefusedError, match="refuses user 'root'"):
        await FrrDriver(CredentialStore(tmp_path)).read(change.router)
