"""Each gate is seen to fail, and each reason to say nothing of the system."""

from dataclasses import replace

import pytest

from load_tests.drills.drill import Limits
from load_tests.drills.gates import Course, decide, marks
from load_tests.drills.measures import Measures, measure
from load_tests.drills.prediction import Comparison, Expected
from load_tests.runs.judgement import Checked
from tests.load_tests.drills.support import MOMENTS, operation, probes
from worker.bench.support.verdict import Verdict

GOOD = measure([*probes(1000, 1200), *(operation(1000 + n) for n in range(200))], MOMENTS, ())
GATES = Limits(outage_seconds=8, failed_operations=0, failed_probes=0, violations=0, p99_ratio=2)
GOALS = Limits(outage_seconds=2, p99_ratio=1.2)
CLEAN = Checked(Verdict.PASS)


def verdict_of(
    measures: Measures | None = GOOD, violations=0, course=None, checked=CLEAN, surprises=(), gates=GATES
):
    marked = marks(measures, violations, gates, GOALS) if measures else []
    return decide(course or Course(), checked, measures, marked, surprises)


def test_every_gate_met():
    assert verdict_of().verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outage_seconds": 8.1}, "outage: 8.1 s, the gate is 8"),
        ({"failed_operations": 1}, "users' operations that failed: 1, the gate is 0"),
        ({"failed_probes": 2}, "probes that failed: 2, the gate is 0"),
        ({"p99_ratio": 2.01}, "p99 from start to close after the fault against before: 2.01x, the gate is 2"),
    ],
)
def test_each_gate_fails(changes, reason):
    found = verdict_of(replace(GOOD, **changes))
    assert (found.verdict, found.reasons) == (Verdict.FAIL, (reason,))
    assert verdict_of(replace(GOOD, **changes), gates=Limits()).verdict is Verdict.PASS


@pytest.mark.parametrize("changes", [{"outage_seconds": 8}, {"p99_ratio": 2}])
def test_a_gate_holds_up_to_its_value(changes):
    assert verdict_of(replace(GOOD, **changes)).verdict is Verdict.PASS


def test_what_the_checker_found_fails_even_a_bad_measurement():
    checked = Checked(Verdict.FAIL, ("lost starts: w1: gone",))
    found = verdict_of(None, course=Course(invalid=["not steady"], is_interrupted=True), checked=checked)
    assert (found.verdict, found.reasons) == (Verdict.FAIL, ("lost starts: w1: gone",))


@pytest.mark.parametrize(
    ("arguments", "verdict", "reason"),
    [
        (
            {"course": Course(invalid=["the fault was not injected: x"])},
            Verdict.INVALID,
            "the fault was not injected: x",
        ),
        (
            {"course": Course(invalid=["late"]), "measures": replace(GOOD, outage_seconds=99)},
            Verdict.INVALID,
            "late",
        ),
        ({"course": Course(is_interrupted=True)}, Verdict.INCONCLUSIVE, "it was interrupted"),
        ({"course": Course(broken=["not everything was Ready"])}, Verdict.FAIL, "not everything was Ready"),
        ({"surprises": ["the outage is longer"]}, Verdict.FAIL, "the outage is longer"),
        ({"checked": Checked(Verdict.INCONCLUSIVE, ("unread",))}, Verdict.INCONCLUSIVE, "unread"),
        ({"course": Course(unknown=["who knows"])}, Verdict.INCONCLUSIVE, "who knows"),
        ({"measures": replace(GOOD, p99_ratio=None)}, Verdict.INCONCLUSIVE, "p99 from start to close"),
        ({"violations": None}, Verdict.INCONCLUSIVE, "violations that the checker found: not known"),
        ({"measures": replace(GOOD, probes=0)}, Verdict.INCONCLUSIVE, "no probe was due"),
        (
            {"measures": replace(GOOD, after=replace(GOOD.after, operations=29))},
            Verdict.INCONCLUSIVE,
            "only 29 operations after it",
        ),
        (
            {"measures": replace(GOOD, before=replace(GOOD.before, operations=29), outage_seconds=9)},
            Verdict.FAIL,
            "outage: 9 s",
        ),
    ],
)
def test_verdicts(arguments, verdict, reason):
    found = verdict_of(**arguments)
    assert found.verdict is verdict
    assert found.reasons[0].startswith(reason)


def test_goals_are_a_column_and_decide_nothing():
    found = {
        mark.name: mark for mark in marks(replace(GOOD, outage_seconds=5, p99_ratio=1.1), 0, GATES, GOALS)
    }
    assert verdict_of(replace(GOOD, outage_seconds=5)).verdict is Verdict.PASS
    assert found["outage_seconds"].is_within_goal is False
    assert found["p99_ratio"].is_within_goal is True
    assert found["violations"].is_within_goal is None


@pytest.mark.parametrize(
    ("share", "outage", "complaints"),
    [
        (0.33, 8, []),
        (0.43, 7.9, []),
        (0.23, 0, []),
        (None, 1, []),
        (0.44, 1, ["44% of the shards were out, 33% were predicted (at most 10 points off are allowed)"]),
        (0.22, 1, ["22% of the shards were out, 33% were predicted (at most 10 points off are allowed)"]),
        (0.33, 8.1, ["the outage of 8.1 s is longer than the 8 s that were predicted"]),
    ],
)
def test_a_prediction_holds_within_ten_points_and_its_outage(share, outage, complaints):
    assert Comparison(Expected(0.33, 8), share, outage).complaints() == complaints


def test_without_a_prediction_nothing_is_a_surprise():
    found = Comparison(None, 0.9, 99)
    assert found.complaints() == []
    assert found.text() == "no prediction"
