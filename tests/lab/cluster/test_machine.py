import json
import subprocess
import sys

import pytest

from lab.cluster import machine


@pytest.fixture
def process():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_dead_process_is_not_running(tmp_path, process):
    started = machine._start_time(process.pid)
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started}))

    assert machine.is_running(tmp_path)
    process.kill()
    process.wait()
    assert not machine.is_running(tmp_path)


def test_a_reused_pid_is_neither_taken_for_the_machine_nor_killed(tmp_path, process):
    started = machine._start_time(process.pid)
    assert started is not None
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started - 1}))

    assert not machine.is_running(tmp_path)
    machine.kill(tmp_path)
    assert process.poll() is None


def test_kill_waits_until_the_process_has_ended(tmp_path, process):
    started = machine._start_time(process.pid)
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started}))

    machine.kill(tmp_path)

    assert machine._start_time(process.pid) is None
    assert not (tmp_path / "pid.json").exists()


def test_a_half_written_pid_file_means_no_machine(tmp_path):
    (tmp_path / "pid.json").write_text('{"pid": 12')

    assert not machine.is_running(tmp_path)
