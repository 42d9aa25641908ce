"""The agent as the driver sends it: a process of the router's own Python, here with a stand-in for FRR's shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.routers import frr_agent

AGENT = Path(frr_agent.__file__).read_text()
FAKE = Path(__file__).with_name("fake_vtysh.py")
BEFORE = [
    "hostname old",
    "interface lo",
    " description here",
    "router bgp 1",
    " neighbor 192.0.2.1 remote-as 2",
]
COMMANDS = ["hostname new", "router bgp 1", " neighbor 192.0.2.1 description x", "exit"]


class Router:
    """A home folder, a configuration and the agent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(BEFORE)
        shell = folder / "bin" / "vtysh"
        shell.parent.mkdir()
        shell.write_text(f'#!/bin/sh\nexec {sys.executable} -I {FAKE} {folder} "$@"\n')
        shell.chmod(0o755)

    def write(self, lines: list[str]) -> None:
        (self.folder / "running").write_text("\n".join(lines) + "\n")

    def lines(self) -> list[str]:
        return frr_agent.normalise((self.folder / "running").read_text().splitlines())

    def start(self, **request: object) -> subprocess.Popen[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        agent = subprocess.Popen(
            [sys.executable, "-I", "-"], start_new_session=True, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"HOME": str(self.folder), "PATH": path},
        )  # fmt: skip
        assert agent.stdin is not None
        agent.stdin.write(f"{AGENT}\nmain({json.dumps(request)!r})\n")
        agent.stdin.close()
        agent.stdin = None
        return agent

    def ask(self, operation: str, **request: object) -> dict:
        answer, _ = self.start(operation=operation, **request).communicate()
        return json.loads(answer)

    def apply(self, key: str = "k", commands: list[str] | None = None, seconds: float = 60) -> dict:
        return self.ask(
            "apply", key=key, expected_revision=frr_agent.revision(BEFORE), commands=commands or COMMANDS,
            confirm_seconds=seconds,
        )  # fmt: skip

    def undo(self, key: str = "k") -> dict:
        return self.ask("undo", change_key=key)

    def confirm(self, key: str = "k") -> dict:
        return self.ask("confirm", change_key=key)

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.ask("ledger")["events"]]


@pytest.fixture
def router(tmp_path):
    router = Router(tmp_path)
    yield router
    router.undo()  # ends the process that watches the change
    wait_for(lambda: not list((tmp_path / ".routerfleet").glob("watch-*")))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_applied_confirmed_and_saved_once(router):
    first = router.apply()
    assert router.apply() == first
    assert "hostname new" in router.lines()
    assert not (router.folder / "startup").exists()

    assert router.confirm() == first == router.confirm()

    assert (router.folder / "startup").read_text() == (router.folder / "running").read_text()
    assert router.kinds() == ["apply", "duplicate", "confirm"]


def test_undone_and_barred(router):
    router.apply()

    assert router.undo() == {"revision": frr_agent.revision(BEFORE), "is_restored": True} == router.undo()

    assert router.lines() == BEFORE
    assert router.apply()["error"] == router.confirm()["error"] == "withdrawn"
    assert router.lines() == BEFORE


def test_a_change_undone_before_it_came_does_not_come(router):
    assert router.undo() == {"revision": frr_agent.revision(BEFORE), "is_restored": False}
    assert router.apply()["error"] == "withdrawn"
    assert router.lines() == BEFORE


def test_a_refused_line_is_named_and_the_rest_is_undone(router):
    answer = router.apply(commands=[*COMMANDS, "some nonsense"])

    assert answer == {"error": "half-applied", "detail": "line 5: % Unknown command[4]: some nonsense"}
    assert router.apply() == answer
    assert router.confirm() == answer
    assert router.undo()["is_restored"] is True
    assert router.lines() == BEFORE


def test_what_is_taken_back_with_something_else_is_put_back(router):
    commands = [
        "interface lo",
        " no description",
        "exit",
        "router bgp 1",
        " no neighbor 192.0.2.1 remote-as 2",
        "exit",
    ]
    router.apply(commands=[*commands, "interface lo", " description two words", "exit"])
    assert router.lines() != BEFORE

    router.undo()

    assert sorted(router.lines()) == sorted(BEFORE)


def test_time_is_up(router):
    router.apply(seconds=1)
    wait_for(lambda: router.lines() == BEFORE)

    assert router.apply()["error"] == router.confirm()["error"] == "reverted"
    assert router.undo() == {"revision": frr_agent.revision(BEFORE), "is_restored": True}
    assert router.kinds() == ["apply", "revert", "duplicate"]


def test_another_revision_or_another_change_is_refused(router):
    router.apply()
    assert router.apply("other") == {
        "error": "drifted", "detail": "another change waits to be confirmed or undone: k",
    }  # fmt: skip
    router.undo()
    router.write([*BEFORE, "by hand"])
    assert router.apply("third")["error"] == "drifted"


def test_what_somebody_else_changed_is_left(router):
    router.apply()
    router.write([*BEFORE, "by hand"])

    assert router.undo()["error"] == router.confirm()["error"] == "drifted"

    assert router.lines() == [*BEFORE, "by hand"]
    router.write(BEFORE)


def killed_at_work(router: Router, seconds: float) -> subprocess.Popen[str]:
    (router.folder / "slow").touch()
    agent = router.start(
        operation="apply", key="k", expected_revision=frr_agent.revision(BEFORE), commands=COMMANDS,
        confirm_seconds=seconds,
    )  # fmt: skip
    wait_for((router.folder / "at-work").exists)
    agent.kill()
    agent.communicate()
    return agent


def test_killed_while_it_loads_nobody_else_starts_before_frr_has_done(router):
    killed_at_work(router, seconds=60)
    undo = router.start(operation="undo", change_key="k")
    with pytest.raises(subprocess.TimeoutExpired):
        undo.wait(1)
    (router.folder / "slow").unlink()
    answer, _ = undo.communicate()

    assert json.loads(answer) == {"revision": frr_agent.revision(BEFORE), "is_restored": True}
    assert router.lines() == BEFORE


def test_killed_while_it_loads_it_is_undone_in_time(router):
    killed_at_work(router, seconds=2)
    (router.folder / "slow").unlink()
    wait_for(lambda: "hostname new" in router.lines())
    assert router.apply()["error"] == "half-applied"  # nobody can tell whether it was all

    wait_for(lambda: router.lines() == BEFORE)

    assert router.apply()["error"] == "reverted"


def test_killed_before_anything_was_taken_it_is_applied_by_the_repetition(router):
    agent = killed_at_work(router, seconds=60)
    os.killpg(agent.pid, 9)
    (router.folder / "slow").unlink()

    assert "revision" in router.apply()
    assert "hostname new" in router.lines()


def test_the_watch_that_died_is_left_again(router):
    router.apply(seconds=3)
    watch = next((router.folder / ".routerfleet").glob("watch-*"))
    for pid in watchers(router.folder):
        os.kill(pid, 9)
    wait_for(lambda: not watchers(router.folder))
    assert watch.exists()

    router.apply()  # whoever asks next

    wait_for(lambda: router.lines() == BEFORE)


def watchers(home: Path) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = f"HOME={home}\0" in (process / "environ").read_text() and (
                process / "cmdline"
            ).read_text().endswith("-I\0-\0")
        except OSError:
            continue
        if is_ours and "Z" not in (process / "stat").read_text().rpartition(")")[2].split()[0]:
            found.append(int(process.name))
    return found


def test_frr_that_does_not_answer_is_said_in_one_line(router):
    (router.folder / "running").unlink()

    assert router.ask("read") == {
        "error": "unavailable",
        "detail": "vtysh: failed to connect to any daemons.",
    }
    router.write(BEFORE)


@pytest.mark.parametrize(
    ("now", "wanted", "commands"),
    [
        (["a", "b"], ["b", "c"], ["no a", "c"]),
        (["no a"], ["a"], ["a", "a"]),
        (["interface lo", " ip address 192.0.2.1/32"], [], ["interface lo", " no ip address 192.0.2.1/32", "exit"]),
        (["router bgp 1", " x"], [], ["no router bgp 1"]),
        (
            ["router bgp 1", " address-family ipv4 unicast", "  network 192.0.2.0/24"],
            ["router bgp 1", " y"],
            [
                "router bgp 1", " address-family ipv4 unicast", "  no network 192.0.2.0/24", " exit-address-family",
                " y", "exit",
            ],
        ),
    ],
)  # fmt: skip
def test_difference(now, wanted, commands):
    assert frr_agent.difference(frr_agent.tree(now), frr_agent.tree(wanted)) == commands


def test_what_is_no_configuration_is_dropped():
    shown = [
        "Building configuration...", "", "Current configuration:", "!", "frr version 8.4.4", "frr defaults traditional",
        "hostname ours", "hostname box", "service integrated-vtysh-config", "!", "router bgp 1", " description exit",
        " !", " address-family ipv4 unicast", "  network 192.0.2.0/24", " exit-address-family", "exit", "!", "end",
    ]  # fmt: skip

    assert frr_agent.normalise(shown, "box") == [
        "hostname ours", "router bgp 1", " description exit", " address-family ipv4 unicast",
        "  network 192.0.2.0/24",
    ]  # fmt: skip
    assert frr_agent.normalise(["hostname box"], "box") == ["hostname box"]
