"""Drills' files: what is there is right, and what is wrong is refused in one line."""

import pytest

from load_tests.drills.catalogue import DEFINITIONS, find, load_all
from load_tests.drills.drill import GATES, Limits, Phases
from load_tests.drills.loading import parse, read
from load_tests.errors import LoadTestError
from load_tests.faults.catalogue import KINDS

GOOD = {
    "summary": "A frontend is killed.",
    "scenario": "deployments",
    "fault": {"name": "pod-killed", "parameters": {"component": "temporal-frontend"}},
}


def test_the_release_set_is_that_of_the_readme():
    drills = load_all("none")
    assert [name for name, drill in drills.items() if drill.is_release] == [
        "database-primary-killed", "frontend-killed", "history-killed", "load-balancer-killed", "matching-killed",
        "pooler-killed", "rolling-restart", "worker-killed", "zone-with-primary-powered-off",
    ]  # fmt: skip


def test_every_fault_has_a_drill():
    assert {drill.fault.name for drill in load_all("none").values()} == set(KINDS)


def test_every_drill_has_a_gate_on_what_probes_see():
    for drill in load_all("none").values():
        assert (drill.gates.outage_seconds, drill.gates.failed_probes) != (None, None), drill.name
        assert (drill.gates.failed_operations, drill.gates.violations, drill.gates.p99_ratio) == (0, 0, 2)


def test_gates_are_those_that_were_promised():
    drills = load_all("none")
    promised = {
        "history-killed": (8, 2), "load-balancer-killed": (8, 2), "database-primary-killed": (25, 10),
        "zone-with-primary-powered-off": (35, 15),
    }  # fmt: skip
    found = {
        name: (drills[name].gates.outage_seconds, drills[name].goals.outage_seconds) for name in promised
    }
    assert found == promised
    assert drills["rolling-restart"].gates.failed_probes == 0


def test_what_is_left_out_has_its_default():
    drill = parse("x", GOOD)
    assert (drill.phases, drill.gates, drill.is_release) == (Phases(), GATES, False)


def test_a_stack_changes_numbers_and_a_drills_own_count_more():
    changes = {
        "all": {"load": {"rate": 1.5, "probe_rate": 1}, "gates": {"outage_seconds": 10}},
        "x": {"load": {"rate": 2}},
        "y": {"load": {"rate": 9}},
    }
    drill = parse("x", {**GOOD, "gates": {"outage_seconds": 8, "failed_probes": 3}}, changes)
    assert (drill.load.rate, drill.load.probe_rate) == (2, 1)
    assert drill.gates == Limits(10, failed_operations=0, failed_probes=3, violations=0, p99_ratio=2)


def test_a_stacks_file_is_read(tmp_path):
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "drills.mine.toml").write_text("[history-killed.gates]\noutage_seconds = 12\n")
    assert load_all("mine", root=tmp_path)["history-killed"].gates.outage_seconds == 12
    assert load_all("other", root=tmp_path)["history-killed"].gates.outage_seconds == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"colour": 1},
            "drill x: 'colour' is not known; it takes summary, scenario, is_release, fault, load",
        ),
        ({"summary": ""}, "drill x: summary='' must be a text"),
        ({"scenario": "nothing"}, "drill x: scenario 'nothing' must be one of deployments"),
        ({"fault": {"name": "nothing"}}, "drill x: fault: 'nothing' is none; faults are "),
        ({"fault": {"name": "pod-killed"}}, "drill x: fault pod-killed: it lacks component"),
        (
            {"fault": {"name": "zone-silent", "parameters": {"zone": "zone off y"}}},
            "drill x: zone: 'zone off y' must be",
        ),
        (
            {"fault": {"name": "zone-silent", "parameters": {"zone": 1}}},
            "drill x: fault.parameters.zone=1 must be a text",
        ),
        ({"fault": "x"}, "drill x: fault must be a table"),
        (
            {"load": {"rates": 1}},
            "drill x: load: 'rates' is not known; it takes rate, shape, options, probe_rate",
        ),
        ({"load": {"rate": 0}}, "drill x: load.rate=0 must be above 0"),
        ({"load": {"rate": "many"}}, "drill x: load.rate='many' must be a number, 0 or more"),
        ({"load": {"rate": True}}, "drill x: load.rate=True must be a number, 0 or more"),
        ({"load": {"options": "x=1"}}, "drill x: load.options='x=1' must be a list of KEY=NUMBER"),
        ({"load": {"options": ["x=1"]}}, "drill x: --set: 'x' is not known to deployments"),
        ({"load": {"shape": "sine"}}, "drill x: --shape: 'sine' must be one of"),
        ({"phases": {"steady_seconds": 2}}, "drill x: phases.steady_seconds=2 must be at least 5"),
        ({"phases": {"recovery_seconds": 60}}, "drill x: phases.recovery_seconds=60 must be above 60"),
        ({"gates": {"outage": 2}}, "drill x: gates: 'outage' is not known; it takes outage_seconds"),
        ({"gates": {"outage_seconds": -1}}, "drill x: gates.outage_seconds=-1 must be a number, 0 or more"),
        (
            {"gates": {"outage_seconds": 2}, "goals": {"outage_seconds": 3}},
            "drill x: goals.outage_seconds=3 must be at most the gate, which is 2",
        ),
    ],
)
def test_bad_files_are_one_line(changes, message):
    with pytest.raises(LoadTestError) as error:
        parse("x", {**GOOD, **changes})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[history.gates]\nx = 1", "drills.mine.toml: 'history' must be 'all' or a drill"),
        ("[all.fault]\nname = 'x'", "drills.mine.toml: all: 'fault' is not known; it takes load, phases"),
        ("all = 1", "drills.mine.toml: all must be a table of load, phases"),
        ("[", "drills.mine.toml: cannot be read: "),
    ],
)
def test_a_stacks_bad_file_is_one_line(tmp_path, text, message):
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "drills.mine.toml").write_text(text)
    with pytest.raises(LoadTestError) as error:
        load_all("mine", root=tmp_path)
    assert str(error.value).startswith(message)


def test_a_tenth_drill_of_the_release_set_is_refused(tmp_path):
    for path in DEFINITIONS.glob("*.toml"):
        (tmp_path / path.name).write_text(
            "is_release = true\n" + path.read_text().replace("is_release = true\n", "")
        )
    with pytest.raises(LoadTestError, match=r"drills: more than 9 have is_release = true"):
        load_all("none", tmp_path)


def test_no_such_drill():
    with pytest.raises(LoadTestError, match=r"drill 'x' must be one of history-killed"):
        find("x", {"history-killed": parse("history-killed", read(DEFINITIONS / "history-killed.toml"))})
