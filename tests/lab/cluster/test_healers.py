import os
import subprocess
import time
from pathlib import Path

import pytest

from lab.cluster import faults, healer, healers, mechanisms, process
from lab.cluster.fault import Fault, Kind
from lab.cluster.layout import NODES
from lab.cluster.state import State
from tests.lab.cluster.support import wait_until

NODE_A, _, NODE_C = NODES
ZONE_A, ZONE_C = Fault(Kind.POWER_OFF, NODE_A), Fault(Kind.POWER_OFF, NODE_C)
# A healer is meant to outlive its starter.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "lab")
    state.root.mkdir()
    yield state
    healers.end(state)


def pid(record) -> int:
    healer_pid = process.noted(record)
    assert healer_pid is not None
    return healer_pid


def test_only_the_pending_heals_of_the_fault_are_ended(state):
    one_way = Fault(Kind.SILENCE, NODE_C, NODE_A)
    both_ways = Fault(Kind.SILENCE, NODE_C)
    a, c = (healers.arm(state, fault, 600) for fault in (one_way, both_ways))
    pid_a, pid_c = pid(a), pid(c)

    healers.end(state, both_ways)

    assert process.start_time(pid_c) is None
    assert pid(a) == pid_a
    assert [r.name for r in (state.root / "healers").iterdir()] == [a.name]


def test_when_a_fault_heals_by_itself_is_known_while_its_healer_lives(state):
    before = time.time()
    record = healers.arm(state, ZONE_C, 600)

    due = healers.due(state, ZONE_C)
    assert due is not None
    assert before + 600 <= due <= time.time() + 600
    assert healers.due(state, ZONE_A) is None

    os.kill(pid(record), 9)
    wait_until(lambda: healers.due(state, ZONE_C) is None)


def test_a_healer_whose_starter_was_killed_before_it_wrote_the_pid_is_ended(state):
    record = healers.arm(state, ZONE_C, 600)
    started = pid(record)
    record.write_text("")
    command = Path(f"/proc/{started}/cmdline")
    wait_until(lambda: b"lab.cluster.healer" in command.read_bytes())

    healers.end(state)

    assert process.start_time(started) is None


def test_the_last_power_off_of_a_zone_decides_when_it_heals(state, monkeypatch):
    monkeypatch.setattr(mechanisms.nodes, "switch_off", lambda *_: None)
    monkeypatch.setattr(mechanisms.witness, "expect", lambda *_: "silent")
    faults.inject(state, ZONE_C, 600)
    (first,) = (state.root / "healers").iterdir()

    faults.inject(state, ZONE_C, 700)
    (second,) = (state.root / "healers").iterdir()
    assert second != first

    faults.inject(state, ZONE_C, None)
    assert list((state.root / "healers").iterdir()) == []


def test_a_healer_waits_for_the_lock_and_logs_what_came_of_it(state):
    with state.lock():
        record = healers.arm(state, ZONE_C, 0.1)
        log = state.folder(NODE_C) / "logs" / "healer.log"
        wait_until(lambda: "power-off zone-c: heal after 0.1 s" in log.read_text())
        healing = pid(record)
        time.sleep(0.3)
        assert process.start_time(healing) is not None
        record.unlink()  # so that it changes nothing on this machine
    wait_until(lambda: process.start_time(healing) is None)

    assert log.read_text().splitlines()[-1].endswith("power-off zone-c: called off")


def test_a_healer_powers_its_zone_on_and_survives_calling_off_the_others(state, monkeypatch, capsys):
    record = state.root / "healers" / f"{ZONE_C.slug}.own.json"
    record.parent.mkdir()
    process.note(record, os.getpid())
    switched = []
    monkeypatch.setattr(faults.toolchain, "ensure", lambda _: {"kubectl": "true"})
    monkeypatch.setattr(
        mechanisms.nodes, "switch_on", lambda _state, node, _tools: switched.append(node.name)
    )
    monkeypatch.setattr(faults.nodes, "wait_ready", lambda *_: None)

    assert healer.main(str(state.root), "0.01", *ZONE_C.words, str(record)) == 0

    assert switched == ["node-c"]
    assert not record.exists()
    assert capsys.readouterr().out.splitlines()[-1].endswith("power-off zone-c: healed")


def test_another_process_that_names_a_record_is_no_healer(state):
    record = state.root / "healers" / f"{ZONE_C.slug}.1.json"
    record.parent.mkdir()
    record.touch()
    other = subprocess.Popen(["sh", "-c", "sleep 60 & wait", "sh", str(record)], start_new_session=True)
    try:
        healers.end(state)
        assert other.poll() is None
    finally:
        os.killpg(other.pid, 9)
        other.wait()
