"""Whatever the runner was at when it died, its fault is gone soon after, and no process is left."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from load_tests.errors import LoadTestError
from load_tests.faults import guard, heal
from load_tests.faults.journal import Journal

RUNNER = Path(__file__).with_name("runner.py")
ROOT = Path(__file__).parents[3]
GONE_SECONDS = 10


@contextmanager
def runner_at(folder, stage):
    """Start a runner and yield its process once it is at the stage, and its guard's pid."""
    process = subprocess.Popen(
        [sys.executable, RUNNER, folder, stage], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == stage
            yield process, guard_of(process.pid)
        finally:
            process.kill()


def guard_of(runner: int) -> int:
    for entry in Path("/proc").glob("[0-9]*"):
        words = (entry / "cmdline").read_bytes().split(b"\0")[:-1] if entry.exists() else []
        if guard.MODULE.encode() in words and words[-1] == str(runner).encode():
            return int(entry.name)
    raise AssertionError("the runner has no guard")


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while (
        Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    ):
        assert time.monotonic() < deadline, "the guard is still there"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "stage", ["guarded", "intended", "injecting", "in effect", "healing", "healed", "forked"]
)
def test_the_runner_is_killed(tmp_path, stage):
    start = time.monotonic()
    with runner_at(tmp_path, stage) as (runner, watching):
        assert (tmp_path / "fault").exists() == (stage in ("in effect", "forked", "healing"))
        os.kill(runner.pid, signal.SIGKILL)
        wait_gone(watching)
    if stage == "forked":
        assert time.monotonic() - start < 5, "the guard waited for the runner's child"

    assert not (tmp_path / "fault").exists()
    assert Journal(tmp_path).pending() == []
    entries = 0 if stage == "guarded" else 1
    assert len(Journal(tmp_path).entries()) == entries
    time.sleep(0.7)
    assert not (tmp_path / "fault").exists(), "a command that was under way has brought it back"


def test_the_runners_whole_session_is_killed(tmp_path):
    with runner_at(tmp_path, "in effect") as (runner, watching):
        os.killpg(runner.pid, signal.SIGKILL)
        wait_gone(watching)

    assert not (tmp_path / "fault").exists()


def test_the_guard_dies_too_and_a_person_heals(tmp_path):
    with runner_at(tmp_path, "in effect") as (runner, watching):
        os.kill(watching, signal.SIGKILL)
        os.kill(runner.pid, signal.SIGKILL)
        wait_gone(watching)
    assert (tmp_path / "fault").exists()

    assert heal.main([str(tmp_path)]) == 0
    assert not (tmp_path / "fault").exists()


def test_leaving_in_order_ends_the_guard(tmp_path):
    with guard.guarding(tmp_path) as journal:
        watching = guard_of(os.getpid())
        one = journal.intend("left", [["touch", str(tmp_path / "undone")]])

    assert not Path(f"/proc/{watching}").exists()
    assert (tmp_path / "undone").exists()
    assert [entry.healed_at is not None for entry in journal.entries() if entry.id == one] == [True]


def test_without_a_guard_there_is_no_journal_to_note_faults_in(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "MODULE", "load_tests.no_such_module")

    with (
        pytest.raises(LoadTestError, match=r"the guard of .* did not start; see .*guard\.log"),
        guard.guarding(tmp_path),
    ):
        pass
    assert "No module named load_tests.no_such_module" in (tmp_path / guard.LOG_FILE).read_text()
