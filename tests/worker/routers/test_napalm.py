"""The NAPALM driver on NAPALM's own mock driver with recorded answers.

What EOS does over SSH is in `test_napalm_ssh.py`; here the other platforms, and what only a bad router does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from napalm.base.mock import MockDriver

from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRefusedError,
    ChangeRevertedError,
    CredentialsMissingError,
    RouterDriftedError,
    RouterError,
    RouterUnreachableError,
)
from worker.models.deployment import CheckSpec
from worker.routers import napalm_driver, napalm_session
from worker.routers.credentials import CredentialStore
from worker.routers.driver import Change, Check, Confirmation, Undo, Undone
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_driver import NapalmDriver
from worker.routers.normal_form import revision

BEFORE = ("hostname old", "banner motd ^C", " keep out", "^C")
AFTER = ("hostname new", "banner motd ^C", " keep out", "^C")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEaYWY4f8gDrsvBTZmOwvH1bXs1JnVY3KhxCFq3FbVTV"


class RecordedRouter(MockDriver):
    """NAPALM's mock, which also keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        super().__init__("r1", "deployer", "", optional_args={"path": str(folder)})
        self.told: list[str] = []
        self.candidate = ""

    def load_replace_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        self.candidate = Path(str(filename)).read_text()
        super().load_replace_candidate(filename, config)

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        self.candidate = Path(str(filename)).read_text()
        super().load_merge_candidate(filename, config)

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        self.told.append(f"commit, revert in {revert_in}")
        super().commit_config(message, revert_in)

    def confirm_commit(self) -> None:
        self.told.append("confirm")
        super().confirm_commit()

    def rollback(self) -> None:
        self.told.append("rollback")
        super().rollback()


@dataclass
class Recording:
    """Answers to put into a folder as the mock wants them, and the driver that gets them."""

    folder: Path
    credentials: CredentialStore
    calls: dict[str, int] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)

    def answers(self, method: str, *answers: Mapping[str, Any]) -> None:
        for answer in answers:
            self.calls[method] = self.calls.get(method, 0) + 1
            (self.folder / f"{method}.{self.calls[method]}").write_text(json.dumps(answer))

    def runs(self, *configurations: tuple[str, ...]) -> None:
        """Have the router run these, one each time it is asked."""
        texts = ["\n".join(lines) for lines in configurations]
        self.answers("get_config", *({"running": text, "startup": "", "candidate": ""} for text in texts))

    def replaces(self, diff: str = "+hostname new\n-hostname old") -> None:
        """Have it load, compare and commit."""
        self.answers("load_replace_candidate", {})
        self.answers("compare_config", {"diff": diff})
        self.answers("commit_config", {})

    def driver(self) -> tuple[NapalmDriver, RecordedRouter]:
        router = RecordedRouter(self.folder)

        def library(name: str) -> Callable[..., RecordedRouter]:
            def make(**arguments: Any) -> RecordedRouter:
                self.arguments = {"library": name, **arguments}
                return router

            return make

        return NapalmDriver(self.credentials, library), router  # type: ignore[arg-type] - the mock has no types


@pytest.fixture
def recording(tmp_path: Path, credentials: CredentialStore) -> Recording:
    folder = tmp_path / "recorded"
    folder.mkdir()
    return Recording(folder, credentials)


def record(platform: str, **options: str) -> RouterRecord:
    return RouterRecord("r1", "chogar", platform, host="192.0.2.1", options={"host_key": KEY, **options})


def change(platform: str, confirm_seconds: float = 600) -> Change:
    return Change(record(platform), "c1/apply", revision(BEFORE), AFTER, confirm_seconds)


async def test_ios_gets_a_whole_file_and_minutes(recording: Recording) -> None:
    recording.runs(BEFORE, BEFORE, AFTER)
    recording.replaces()
    driver, router = recording.driver()

    assert await driver.apply(change("ios", confirm_seconds=610)) == revision(AFTER)
    assert router.told == ["commit, revert in 660"]
    assert router.candidate == "hostname new\nbanner motd \x03\n keep out\n\x03\nend\n"


@pytest.mark.parametrize("platform", ["iosxr", "nxos"])
async def test_who_cannot_undo_by_itself_is_told_no_time_and_needs_no_confirmation(
    recording: Recording, platform: str
) -> None:
    recording.runs(BEFORE, BEFORE, AFTER)
    recording.replaces()
    recording.runs(AFTER)
    driver, router = recording.driver()

    assert await driver.apply(change(platform)) == revision(AFTER)
    confirmation = Confirmation(record(platform), "c1/confirm", "c1/apply")
    assert await driver.confirm(confirmation) == revision(AFTER)
    assert router.told == ["commit, revert in None"]


async def test_undo_of_who_cannot_undo_by_itself_puts_the_backup_back(recording: Recording) -> None:
    recording.runs(AFTER, AFTER)
    recording.replaces()
    recording.runs(BEFORE, BEFORE)
    driver, router = recording.driver()

    undone = await driver.undo(Undo(record("nxos"), "c1/undo", "c1/apply", BEFORE))

    assert undone == Undone(revision(BEFORE), is_restored=True)
    assert router.told == ["commit, revert in None"]
    assert router.candidate == "\n".join(BEFORE) + "\n"


async def test_a_backup_that_does_not_come_back_is_said(recording: Recording) -> None:
    recording.runs(AFTER, AFTER)
    recording.replaces()
    recording.runs(AFTER)
    recording.answers("load_replace_candidate", {})
    recording.answers("compare_config", {"diff": "+hostname old\n-hostname new"})
    recording.answers("discard_config", {})
    driver, _ = recording.driver()

    with pytest.raises(ChangeHalfAppliedError, match=r"^r1: differs from its backup in 2 lines$"):
        await driver.undo(Undo(record("nxos"), "c1/undo", "c1/apply", BEFORE))


async def test_junos_gets_the_difference(recording: Recording) -> None:
    before = ("set system host-name old", "set protocols lldp interface all")
    after = ("set system host-name new", "set protocols lldp interface all")
    recording.runs(before, before, after)
    recording.answers("load_merge_candidate", {})
    recording.answers("commit_config", {})
    driver, router = recording.driver()
    planned = Change(record("junos"), "c1/apply", revision(before), after, 60)

    assert await driver.apply(planned) == revision(after)
    assert router.told == ["commit, revert in 60"]
    assert router.candidate == "delete system host-name old\nset system host-name new"


async def test_what_runs_already_is_not_committed(recording: Recording) -> None:
    recording.runs(BEFORE, BEFORE)
    recording.replaces(diff="!! IOS XR Configuration 7.3.2\n!\n")
    recording.answers("discard_config", {})
    driver, router = recording.driver()

    assert await driver.apply(change("iosxr")) == revision(BEFORE)
    assert router.told == []


_INVALID = "Candidate config could not be applied\nusername x secret hunter2\n% Invalid input"


@pytest.mark.parametrize(
    ("running_afterwards", "error", "message"),
    [
        (BEFORE, ChangeRefusedError, "r1: ReplaceConfigException: % Invalid input"),
        (("hostname new",), ChangeHalfAppliedError, "r1: ReplaceConfigException: % Invalid input"),
    ],
)
async def test_a_refused_commit_is_judged_by_what_runs_afterwards(
    recording: Recording, running_afterwards: tuple[str, ...], error: type[RouterError], message: str
) -> None:
    recording.runs(BEFORE, BEFORE)
    recording.answers("load_replace_candidate", {})
    recording.answers("compare_config", {"diff": "+hostname new"})
    recording.answers(
        "commit_config",
        {"exception": "napalm.base.exceptions.ReplaceConfigException", "args": [_INVALID]},
    )
    recording.runs(running_afterwards)
    driver, _ = recording.driver()

    with pytest.raises(error) as caught:
        await driver.apply(change("nxos"))

    assert str(caught.value) == message
    assert caught.value.__cause__ is None


async def test_a_commit_that_did_nothing_is_no_success(recording: Recording) -> None:
    recording.runs(BEFORE, BEFORE, BEFORE)
    recording.replaces()
    driver, _ = recording.driver()

    with pytest.raises(ChangeRefusedError, match=r"^r1: has taken the change and runs what it did before$"):
        await driver.apply(change("nxos"))


async def test_a_connection_that_has_become_too_old_commits_nothing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(napalm_session, "CALL_SECONDS", -1.0)
    recording.runs(BEFORE, BEFORE)
    recording.replaces()
    recording.answers("discard_config", {})
    driver, router = recording.driver()

    with pytest.raises(RouterUnreachableError, match=r"^r1: not ready to commit after -1 s$"):
        await driver.apply(change("nxos"))
    assert router.told == []


async def test_somebody_elses_unconfirmed_change_is_left_alone(recording: Recording) -> None:
    recording.runs(BEFORE, BEFORE)
    driver, router = recording.driver()
    router._pending_commits = True

    with pytest.raises(RouterDriftedError, match=r"^r1: a change of somebody else waits to be confirmed$"):
        await driver.apply(change("ios"))
    assert router.told == []


async def test_no_change_to_confirm_means_that_it_was_undone(recording: Recording) -> None:
    recording.runs(BEFORE)
    driver, _ = recording.driver()

    with pytest.raises(ChangeRevertedError, match=r"^r1: no change waits to be confirmed$"):
        await driver.confirm(Confirmation(record("ios"), "c1/confirm", "c1/apply"))


def bgp(*, is_up: bool) -> dict[str, Any]:
    return {"global": {"router_id": "192.0.2.1", "peers": {"192.0.2.2": {"is_up": is_up}}}}


SESSION = CheckSpec("bgp-session", "192.0.2.2")


async def test_a_check_waits_until_it_comes_true(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(napalm_driver, "_LOOK_SECONDS", 0.01)
    recording.runs(AFTER)
    recording.answers("get_bgp_neighbors", bgp(is_up=False), bgp(is_up=False), bgp(is_up=True))
    driver, router = recording.driver()

    assert await driver.check(record("nxos"), AFTER, (SESSION,)) == (
        Check("configuration", is_passed=True),
        Check("bgp-session 192.0.2.2", is_passed=True),
    )
    assert router.calls["get_bgp_neighbors"] == 3


async def test_a_check_does_not_wait_for_ever(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(napalm_driver, "SETTLE_SECONDS", 0.0)
    recording.runs(AFTER)
    recording.answers("get_bgp_neighbors", bgp(is_up=False))
    driver, _ = recording.driver()

    assert await driver.check(record("nxos"), AFTER, (SESSION,)) == (
        Check("configuration", is_passed=True),
        Check("bgp-session 192.0.2.2", is_passed=False, detail="not Established"),
    )


async def test_a_wrong_configuration_is_said_at_once(recording: Recording) -> None:
    recording.runs(BEFORE)
    recording.replaces()
    recording.answers("discard_config", {})
    recording.answers("get_bgp_neighbors", bgp(is_up=False))
    driver, _ = recording.driver()

    assert await driver.check(record("nxos"), AFTER, (SESSION,)) == (
        Check("configuration", is_passed=False, detail="2 lines differ"),
        Check("bgp-session 192.0.2.2", is_passed=False, detail="not Established"),
    )


async def test_what_napalm_is_given(recording: Recording) -> None:
    recording.runs(BEFORE, BEFORE, BEFORE)
    driver, _ = recording.driver()

    await driver.read(
        record("ios", inline_transfer="true", dest_file_system="flash:", global_delay_factor="2")
    )
    options = recording.arguments["optional_args"]
    assert (recording.arguments["library"], options["ssh_strict"], options["allow_agent"]) == (
        "ios",
        True,
        False,
    )
    assert (options["inline_transfer"], options["dest_file_system"], options["global_delay_factor"]) == (
        True,
        "flash:",
        2,
    )
    assert "host_key" not in options

    await driver.read(record("nxos", transport="ssh"))
    assert recording.arguments["library"] == "nxos_ssh"

    await driver.read(record("nxos"))
    assert recording.arguments["library"] == "nxos"
    assert recording.arguments["optional_args"] == {"transport": "https", "ssl_verify": True}


async def test_https_needs_a_password(recording: Recording, tmp_path: Path) -> None:
    folder = tmp_path / "credentials" / "default"
    (folder / "password").unlink()
    (folder / "private_key").write_text("key")
    driver, _ = recording.driver()

    with pytest.raises(CredentialsMissingError, match=r"^r1: its interface over HTTPS needs a password$"):
        await driver.read(record("eos"))
