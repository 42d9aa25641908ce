import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lab.cluster import machine
from lab.cluster.process import start_time


@pytest.fixture
def process():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_dead_process_is_not_running(tmp_path, process):
    started = start_time(process.pid)
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started}))

    assert machine.is_running(tmp_path)
    process.kill()
    process.wait()
    assert not machine.is_running(tmp_path)


def test_a_reused_pid_is_neither_taken_for_the_machine_nor_killed(tmp_path, process):
    started = start_time(process.pid)
    assert started is not None
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started - 1}))

    assert not machine.is_running(tmp_path)
    machine.kill(tmp_path)
    assert process.poll() is None


def test_kill_waits_until_the_process_has_ended(tmp_path, process):
    started = start_time(process.pid)
    (tmp_path / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started}))

    machine.kill(tmp_path)

    assert start_time(process.pid) is None
    assert not (tmp_path / "pid.json").exists()


def test_a_half_written_pid_file_means_no_machine(tmp_path):
    (tmp_path / "pid.json").write_text('{"pid": 12')

    assert not machine.is_running(tmp_path)


KILLED_BEFORE_ITS_NOTE = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from lab.cluster import machine, process
    from lab.cluster.layout import Machine

    process.note = lambda *_args, **_more: os.kill(os.getpid(), signal.SIGKILL)
    popen = machine.subprocess.Popen
    machine.subprocess.Popen = lambda command, **more: popen(command[2:], **more)  # no network namespace here
    machine.INIT = Path(sys.argv[2])
    machine.start("m", Machine("m", 99), machine.Boot("m", "logs", []), Path(sys.argv[1]))
""")


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_a_tree_whose_starter_was_killed_before_it_wrote_the_pid_is_found_and_killed(tmp_path):
    init = tmp_path / "init.py"
    init.write_text("import time; time.sleep(60)")
    folder = tmp_path / "m"
    starter = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_ITS_NOTE, folder, init],
        cwd=Path(__file__).parents[3], check=False,
    )  # fmt: skip
    try:
        assert starter.returncode == -signal.SIGKILL
        assert not (folder / "pid.json").exists()
        # The starter may be dead before the kernel shows the command line of what it has started.
        deadline = time.monotonic() + 10
        while (inner := machine.inner_pid(folder)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert machine.is_running(folder)
        assert not machine.is_running(tmp_path / "other")
    finally:
        machine.kill(folder)

    assert not machine.is_running(folder)
    assert start_time(inner) is None
