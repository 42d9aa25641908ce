"""The command line as people and machines use it; runs themselves are in test_runs."""

import json

import pytest

from load_tests import cli
from load_tests.drills import results
from load_tests.drills.series import Request, Series
from load_tests.runs.ceiling import Step
from load_tests.scenarios.catalog import SCENARIOS
from tests.load_tests.drills.made_up import result
from worker.bench.support.verdict import Verdict


def test_list_names_every_scenario_with_its_numbers(capsys):
    assert cli.main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in found["scenarios"]] == list(SCENARIOS)
    assert all(item["summary"].endswith(".") for item in found["scenarios"])
    assert found["scenarios"][1]["numbers"] == {"senders": 20, "updates": 0.5}
    assert cli.main(["list"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing"], "load_tests: scenario 'nothing' must be one of deployments, messages,"),
        (["run", "timers", "--duration", "x"], "load_tests: --duration: 'x' must be a time above 0,"),
        (["run", "timers", "--shape", "burst:factor=-1"], "load_tests: --shape burst: factor: '-1' must be"),
        (["report", "nowhere"], "load_tests: nowhere: has no run.json of a run that has ended"),
        (["drill"], "load_tests: drill: NAME is missing; python -m load_tests drills lists them,"),
        (
            ["drill", "nothing"],
            "load_tests: drill 'nothing' must be one of api-server-stopped, database-lies,",
        ),
        (["drill", "nothing", "--dry-run"], "load_tests: drill 'nothing' must be one of api-server-stopped,"),
        (
            ["drill", "history-killed", "--release"],
            "load_tests: drill: name drills or give --release, not both",
        ),
        (["drill", "history-killed", "--repeat", "0"], "load_tests: --repeat: 0 must be 1 or more"),
        (["drill", "--resume", "nowhere"], "load_tests: --resume: nowhere has no series of drills"),
        (["verdict", "nowhere"], "load_tests: --resume: nowhere has no series of drills"),
        (["export", "nothing"], "load_tests: drill 'nothing' must be one of api-server-stopped,"),
        (["compare-loops", "--stall", "90"], "load_tests: --stall: 90 must be above 0 and below --seconds"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert cli.main(arguments) == cli.EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert said.count("\n") == 1


def test_results_are_never_written_over(capsys, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    assert cli.main(["run", "timers", "--output", str(tmp_path)]) == cli.EXIT_USAGE
    assert "has files already" in capsys.readouterr().err


def test_drills_are_listed_with_what_they_are(capsys):
    assert cli.main(["drills", "--json"]) == 0
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)["drills"]}
    assert found["history-killed"]["fault"]["parameters"] == {"component": "temporal-history", "how": "hard"}
    assert found["history-killed"]["gates"]["outage_seconds"] == 8
    assert cli.main(["drills"]) == 0


def test_a_dry_run_shows_the_release_set_and_touches_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["drill", "--release", "--repeat", "5", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["drills"]) == 9
    assert found["seconds"] == 5 * sum(sum(item["phases"].values()) for item in found["drills"])
    assert list(tmp_path.iterdir()) == []


def test_a_verdict_is_the_exit_code_and_none_is_none(capsys, tmp_path):
    series = Series.begin(tmp_path, Request("local", ("history-killed",), 1, "abc"))
    ((name, _),) = series.request.parts()
    (tmp_path / name).mkdir()
    results.write(tmp_path / name, result(verdict=Verdict.FAIL))
    assert cli.main(["verdict", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "FAIL"
    assert cli.main(["verdict", "nowhere", "--if-any"]) == 0


def test_an_export_is_one_experiment(capsys):
    assert cli.main(["export", "history-killed", "--format", "chaostoolkit"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "history-killed"


@pytest.mark.parametrize(
    ("sent", "late", "is_kept"), [(1000, 9.9, True), (1000, 10.1, False), (989, 1, False), (990, 1, True)]
)
def test_a_step_of_the_ceiling_is_judged_as_a_run_is(sent, late, is_kept):
    assert Step(1000, sent, late, 5000, 5000).is_kept is is_kept
