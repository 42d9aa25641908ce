import json
import subprocess
import sys
import time

import pytest

from load_tests.errors import LoadTestError
from load_tests.faults import commands, heal, journal
from load_tests.faults.journal import Journal


@pytest.fixture
def notes(tmp_path):
    return Journal(tmp_path)


def test_what_is_intended_is_pending_until_it_is_healed(notes, tmp_path):
    mark = tmp_path / "undone"
    one = notes.intend("zone-c silent", [["touch", str(mark)]])
    notes.took_effect(one, 12.5, "silence", ["nothing"])

    (entry,) = notes.pending()
    assert (entry.fault, entry.effect_at, entry.proof, entry.could_not) == (
        "zone-c silent",
        12.5,
        "silence",
        ["nothing"],
    )

    notes.heal(one)
    assert mark.exists()
    assert notes.pending() == []
    mark.unlink()
    notes.heal(one)
    assert not mark.exists(), "a healed fault was undone again"


def test_the_youngest_is_undone_first(notes, tmp_path):
    order = tmp_path / "order"
    for name in ("older", "younger"):
        notes.intend(name, [["sh", "-c", f"echo {name} >> {order}"]])

    assert heal.heal_all(tmp_path) == (["younger", "older"], [])
    assert order.read_text() == "younger\nolder\n"


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_a_crash_cut_short_spoils_no_other(notes, cut):
    first = notes.intend("first", [])
    file = notes.folder / journal.FILE
    whole = file.read_text()
    notes.intend("second", [["true"]])
    file.write_text(file.read_text()[: len(whole) + cut])
    third = notes.intend("third", [])

    assert [entry.id for entry in notes.entries()] == [first, third]


def test_what_fails_is_tried_again_and_stays_pending(notes, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "RETRY_SECONDS", 0.05)
    count = tmp_path / "count"
    one = notes.intend("stubborn", [["sh", "-c", f"echo x >> {count}; echo no such zone >&2; exit 2"]])

    with pytest.raises(LoadTestError, match="no such zone"):
        notes.heal(one, 0.3)
    assert len(count.read_text().splitlines()) > 2
    assert [entry.id for entry in notes.pending()] == [one]


def test_healing_waits_for_a_command_that_is_under_way(notes, tmp_path):
    """The command goes on without the process that started it, and would bring the fault back."""
    fault = tmp_path / "fault"
    starter = f"""
import os, subprocess, threading, time
from pathlib import Path
from load_tests.faults import commands
threading.Thread(target=commands.run, args=(["sh", "-c", "sleep 0.7; touch {fault}"], Path({str(tmp_path)!r})), daemon=True).start()
time.sleep(0.3)
os._exit(0)
"""
    one = notes.intend("late", [["rm", "-f", str(fault)]])
    subprocess.run([sys.executable, "-c", starter], check=True)
    assert not fault.exists()

    start = time.monotonic()
    notes.heal(one)

    assert time.monotonic() - start > 0.2
    assert not fault.exists()
    time.sleep(0.8)
    assert not fault.exists()


def test_a_command_that_never_ends_is_told_of(notes, tmp_path, monkeypatch):
    monkeypatch.setattr(commands.wait_until_none, "__defaults__", (0.2,))
    hold = (
        f"import fcntl, time; file = open({str(tmp_path / commands.LOCK_FILE)!r}, 'a'); "
        "fcntl.flock(file, fcntl.LOCK_SH); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        one = notes.intend("held", [["true"]])
        with pytest.raises(
            LoadTestError, match="held: undone, but a command that changes the cluster is still under way"
        ):
            notes.heal(one)
        holder.kill()
    notes.heal(one)


def test_a_failed_command_is_one_line(tmp_path):
    with pytest.raises(LoadTestError, match=r"^sh -c echo first; echo second; exit 3: second$"):
        commands.run(["sh", "-c", "echo first; echo second; exit 3"], tmp_path)
    with pytest.raises(LoadTestError, match=r"^sleep 5: not done after 0 s$"):
        commands.run(["sleep", "5"], tmp_path, 0.1)
    with pytest.raises(LoadTestError, match=r"^no-such-program: No such file or directory$"):
        commands.run(["/nowhere/no-such-program"], tmp_path)


def test_the_command_heals_and_says_so(notes, tmp_path, capsys):
    notes.intend("zone-c silent", [["true"]])

    assert heal.main([str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"healed": ["zone-c silent"], "problems": []}
    assert heal.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "healed: nothing was left\n"
    assert heal.main([str(tmp_path / "other")]) == 2
    assert capsys.readouterr().err == f"heal: '{tmp_path / 'other'}' is not a folder of a run\n"
