import os
import sys
import textwrap
import time

import pytest

from lab.cluster import freeze, machine
from lab.cluster.layout import Machine
from lab.errors import LabError
from tests.lab.cluster.support import wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

TICK = textwrap.dedent("""
    import os, sys, time
    while True:
        open(sys.argv[1] + "/" + str(os.getpid()), "a").write("x")
        time.sleep(0.01)
""")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A machine of three ticking processes, the last in a pid namespace of its own, as a container is."""
    folder, ticks = tmp_path / "machine", tmp_path / "ticks"
    ticks.mkdir()
    tick = [sys.executable, "-I", "-c", TICK, str(ticks)]
    container = ["unshare", "--pid", "--fork", "--kill-child=SIGKILL", *tick[:-1], str(ticks / "inside")]
    (ticks / "inside").mkdir()
    services = [
        machine.Service("one", tick),
        machine.Service("two", tick),
        machine.Service("container", container),
    ]
    popen = machine.subprocess.Popen
    with monkeypatch.context() as patch:  # no network namespace here
        patch.setattr(machine.subprocess, "Popen", lambda command, **more: popen(command[2:], **more))
        machine.start("m", Machine("m", 99), machine.Boot("m", str(folder / "logs"), services), folder)
    wait_until(lambda: len([f for f in ticks.rglob("*") if f.is_file()]) == 3)
    yield folder, ticks
    machine.kill(folder)


def sizes(ticks) -> list[int]:
    return [file.stat().st_size for file in sorted(ticks.rglob("*")) if file.is_file()]


def test_every_process_stands_still_and_goes_on(tree):
    folder, ticks = tree

    freeze.freeze(folder)
    frozen = sizes(ticks)
    time.sleep(0.2)
    assert sizes(ticks) == frozen
    assert freeze.is_paused(folder)
    init = machine.inner_pid(folder)
    assert init is not None
    assert set(freeze.states(init).values()) == {"T"}
    assert freeze.count(folder) == 5  # init, two services, unshare and what is inside

    freeze.thaw(folder)
    wait_until(lambda: all(now > then for now, then in zip(sizes(ticks), frozen, strict=True)))
    assert not freeze.is_paused(folder)


def test_a_frozen_machine_can_be_powered_off(tree):
    folder, _ = tree
    freeze.freeze(folder)

    machine.kill(folder)

    assert not machine.is_running(folder)
    assert not freeze.is_paused(folder)


def test_only_init_is_paused_so_that_what_ends_stays_ended(tree):
    folder, ticks = tree
    freeze.pause_init(folder)
    frozen = sizes(ticks)

    wait_until(lambda: all(now > then for now, then in zip(sizes(ticks), frozen, strict=True)))
    assert freeze.is_paused(folder)
    freeze.thaw(folder)


def test_freezing_twice_is_freezing_once(tree):
    folder, ticks = tree
    freeze.freeze(folder)
    freeze.freeze(folder)
    freeze.thaw(folder)
    frozen = sizes(ticks)
    wait_until(lambda: all(now > then for now, then in zip(sizes(ticks), frozen, strict=True)))


def test_a_machine_that_is_off_cannot_freeze(tmp_path):
    with pytest.raises(LabError, match="node-c is off: power it on first"):
        freeze.freeze(tmp_path / "node-c")
    freeze.thaw(tmp_path / "node-c")
