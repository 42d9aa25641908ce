"""A result as a drill keeps it."""

import json

from load_tests.drills.drill import FaultSpec
from load_tests.drills.gates import marks
from load_tests.drills.measures import measure
from load_tests.drills.prediction import Comparison, Expected
from load_tests.drills.results import DrillResult, FaultReport
from load_tests.runs.judgement import Judgement
from tests.load_tests.drills.support import MOMENTS, drill, operation, probes
from worker.bench.support.verdict import Verdict


def result(
    name="history-killed",
    verdict=Verdict.PASS,
    *,
    outage=3.0,
    began=1_800_000_000.0,
    stack_hash="abc",
    **changes,
):
    """Return a result whose outage began with the fault."""
    missed = [(1062, 1062 + outage)] if outage else []
    operations = [*probes(1000, 1200, missed=missed), *(operation(1000 + n) for n in range(200))]
    measures = measure(operations, MOMENTS, ())
    made = drill(name=name, fault=FaultSpec("pod-killed", {"component": "temporal-history"}))
    values = {
        "drill": made,
        "stack": "local",
        "commit": "1234567",
        "stack_hash": stack_hash,
        "run": "r1",
        "began": began,
        "judgement": Judgement(verdict, ("a reason <b>",)),
        "fault": FaultReport(
            "pod-killed", {"component": "temporal-history"}, (), "killed", "process 1 is gone"
        ),
        "moments": MOMENTS,
        "measures": measures,
        "marks": marks(measures, 0, made.gates, made.goals),
        "comparison": Comparison(Expected(0.33, 8, ["chogar"], ["ringpop"]), 0.3, measures.outage_seconds),
        "violations": {"lost starts": 0, "early timers": 0},
        "redundant_seconds": 12.5,
    }
    return DrillResult(**{**values, **changes})


def invalid(name="history-killed"):
    """Return one whose fault was not injected."""
    return result(
        name, Verdict.INVALID, moments=None, measures=None, marks=(), comparison=None, violations={},
        judgement=Judgement(Verdict.INVALID, ("the fault was not injected: no",)), redundant_seconds=None,
    )  # fmt: skip


def values(made):
    """Return a result as it is read again."""
    return json.loads(json.dumps(made.to_json()))
