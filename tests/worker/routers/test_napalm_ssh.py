"""The NAPALM driver over real SSH, against a FakeNOS server with an EOS behind it."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker.routers.conftest import BEFORE
from tests.worker.routers.eos_device import PASSWORD, EosDevice
from worker.errors import (
    ChangeRefusedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    CredentialsMissingError,
    CredentialsRefusedError,
    RouterDriftedError,
    RouterError,
    RouterUnreachableError,
)
from worker.models.deployment import CheckSpec
from worker.routers.credentials import CredentialStore
from worker.routers.driver import Change, Check, Confirmation, RouterState, Undo, Undone
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_driver import NapalmDriver
from worker.routers.normal_form import revision

AFTER = (*BEFORE, "router bgp 65001", "   neighbor 192.0.2.2 remote-as 65000")
FOREIGN = ("hostname somebody-else",)
OLD, NEW = revision(BEFORE), revision(AFTER)


def change(router: RouterRecord, lines: tuple[str, ...] = AFTER, key: str = "c1/apply") -> Change:
    return Change(router, key, OLD, lines, confirm_seconds=600)


def undo(router: RouterRecord, known_revision: str = "") -> Undo:
    return Undo(router, "c1/undo", "c1/apply", BEFORE, known_revision)


def confirmation(router: RouterRecord, known_revision: str = "") -> Confirmation:
    return Confirmation(router, "c1/confirm", "c1/apply", known_revision)


async def test_read_apply_check_confirm_undo(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    checks = (
        CheckSpec("bgp-session", "192.0.2.2"),
        CheckSpec("route", "198.51.100.0/24"),
        CheckSpec("interface", "Ethernet1"),
    )

    assert await driver.read(eos) == RouterState("eos1", "chogar", "eos", OLD, BEFORE)
    assert await driver.apply(change(eos)) == NEW
    assert device.running == AFTER
    assert await driver.check(eos, AFTER, checks) == (
        Check("configuration", is_passed=True),
        *(Check(str(check), is_passed=True) for check in checks),
    )
    assert await driver.confirm(confirmation(eos)) == NEW
    assert await driver.undo(undo(eos)) == Undone(OLD, is_restored=True)
    assert device.running == BEFORE
    assert device.commits == ["committed for 00:10:00", "confirmed", "committed"]


async def test_another_worker_goes_on_where_one_died(
    credentials: CredentialStore, eos: RouterRecord, device: EosDevice
) -> None:
    first, second, third = (NapalmDriver(credentials) for _ in range(3))

    assert await first.apply(change(eos)) == NEW
    assert await second.apply(change(eos)) == NEW
    assert await second.confirm(confirmation(eos)) == NEW
    assert await third.confirm(confirmation(eos, NEW)) == NEW
    assert device.commits == ["committed for 00:10:00", "confirmed"]
    for driver in (first, second, third):
        driver.close()


async def test_a_change_that_the_router_has_undone_stays_undone(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    await driver.apply(change(eos))
    device.expire()

    with pytest.raises(ChangeRevertedError, match=f"^eos1: is at revision {OLD} and no longer at {NEW}$"):
        await driver.confirm(confirmation(eos))
    with pytest.raises(ChangeRevertedError, match=r"^eos1: has undone change c1/apply by itself$"):
        await driver.apply(change(eos))
    assert device.commits == ["committed for 00:10:00", "expired"]


async def test_an_undo_that_comes_first_ends_the_candidate_that_a_dead_worker_left(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    device.sessions["routerfleet-90b9f9ec4dc0"] = list(AFTER)

    assert await driver.undo(undo(eos)) == Undone(OLD, is_restored=False)
    assert device.sessions == {}
    assert await driver.undo(undo(eos, NEW)) == Undone(OLD, is_restored=True)


async def test_a_router_that_somebody_else_changed_is_left_alone(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    device.running = FOREIGN
    found = revision(FOREIGN)

    with pytest.raises(RouterDriftedError, match=f"^eos1: is at revision {found}, not {OLD}$"):
        await driver.apply(change(eos))
    with pytest.raises(RouterDriftedError, match=f"^eos1: is at revision {found}, not {NEW}$"):
        await driver.undo(undo(eos, NEW))
    assert device.running == FOREIGN
    # Always of the same name: what a worker that dies leaves behind is found and used by the next.
    assert (set(device.opened), device.sessions) == ({"routerfleet-1241626eb8ca"}, {})


async def test_a_line_that_the_router_refuses_changes_nothing(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    with pytest.raises(ChangeRefusedError, match=r"^eos1: takes 3 of 4 lines as they are written$"):
        await driver.apply(change(eos, (*BEFORE, "routr bgp 65001")))

    assert (device.running, device.commits, device.sessions) == (BEFORE, [], {})


async def test_a_cancelled_apply_is_waited_for_and_undone_on_the_router(
    driver: NapalmDriver, eos: RouterRecord, device: EosDevice
) -> None:
    applying = asyncio.create_task(driver.apply(change(eos)))
    await asyncio.to_thread(device.is_opened.wait)
    applying.cancel()

    # The apply goes on in its thread; the undo comes after it and finds the change.
    assert await driver.undo(undo(eos)) == Undone(OLD, is_restored=True)
    assert device.commits == ["committed for 00:10:00", "aborted"]
    with pytest.raises(ChangeWithdrawnError, match=r"^eos1: change c1/apply was undone before it arrived$"):
        await driver.apply(change(eos))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# FakeNOS does not expect a client that leaves because it does not trust it.
@pytest.mark.filterwarnings(
    "ignore:Exception in thread .*connection_function:pytest.PytestUnhandledThreadExceptionWarning"
)
async def test_login_and_host_key(driver: NapalmDriver, eos: RouterRecord, tmp_path: Path) -> None:
    other_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEaYWY4f8gDrsvBTZmOwvH1bXs1JnVY3KhxCFq3FbVTV"
    unproven = replace(eos, options={"transport": "ssh"})
    wrong_key = replace(eos, options={"transport": "ssh", "host_key": other_key})
    wrong_transport = replace(eos, options={"transport": "telnet"})

    with pytest.raises(CredentialsMissingError, match=r"^eos1: no host key is known: set options\.host_key"):
        await driver.read(unproven)
    with pytest.raises(CredentialsRefusedError, match=r"^eos1: shows another host key than the one known"):
        await driver.read(wrong_key)
    (tmp_path / "credentials" / "default" / "known_hosts").write_text(f"192.0.2.9 {other_key}\n")
    with pytest.raises(CredentialsRefusedError, match=r"^eos1: shows another host key than the one known"):
        await driver.read(unproven)
    with pytest.raises(
        ChangeRefusedError, match=r"^eos1: options\.transport: 'telnet' must be https or ssh$"
    ):
        await driver.read(wrong_transport)
    with pytest.raises(RouterUnreachableError, match=r"^eos1: no answer: ConnectionException$"):
        await driver.read(replace(eos, port=closed_port()))

    (tmp_path / "credentials" / "default" / "password").write_text("wrong-secret")
    with pytest.raises(CredentialsRefusedError) as caught:
        await driver.read(eos)
    assert str(caught.value) == "eos1: refuses user 'deployer'"
    assert_no_secret(caught.value, "wrong-secret")


def assert_no_secret(error: RouterError, *secrets: str) -> None:
    """Nothing that Temporal or a log could show of the error holds a secret."""
    assert error.__cause__ is None
    for secret in (PASSWORD, *secrets):
        assert secret not in f"{error} {error!r} {error.__dict__}"
