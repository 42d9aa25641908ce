"""The live view, the page and the export, of made-up drills."""

import io
from types import SimpleNamespace
from typing import cast

from rich.console import Console

from load_tests.drills.catalogue import load_all
from load_tests.drills.engine import View
from load_tests.drills.export import experiment
from load_tests.drills.following import Follower
from load_tests.drills.live import Now, look, table_of
from load_tests.drills.phases import Phase, Timeline
from load_tests.drills.report import sections_of, spans_of
from load_tests.faults.fault import Effect
from load_tests.records import OperationWriter
from load_tests.runs.plots import Span
from tests.load_tests.drills.made_up import invalid, result, values
from tests.load_tests.drills.support import drill, operation, probe, probes


def test_the_live_view_looks_at_the_last_seconds():
    operations = [
        *probes(1000, 1010, "zone-a", every=1, missed=[(1008, 1009)]),
        *probes(1000, 1010, "zone-b", every=1),
        *(operation(1000 + n, latency=0.5) for n in range(10)),
        operation(1009, ok=False),
    ]
    now = look(operations, 1010)
    assert now == Now({"zone-a": 0.8, "zone-b": 1.0}, 1.0, 0.5)
    assert look([], 1010) == Now({}, 0.0, None)


def test_the_live_view_names_phase_fault_and_zones():
    timeline = Timeline(Phase.FAULT, begin=1000, injected=1060, effect=Effect(1062, "process 1 is gone"))
    view = cast("View", SimpleNamespace(drill=drill(), timeline=timeline))
    console = Console(file=io.StringIO(), width=120)
    console.print(table_of(view, Now({"zone-a": 0.5}, 3.0, 0.25), 1065))
    text = cast("io.StringIO", console.file).getvalue()
    for part in ("standstill: fault in effect", "3 s ago: process 1 is gone", "zone-a", "50%", "250 ms"):
        assert part in text


def test_operations_are_followed_as_they_are_written(tmp_path):
    follower = Follower(tmp_path)
    assert follower.operations() == []
    with OperationWriter(tmp_path / "operations-0.jsonl") as writer:
        writer.write(probe(1000, ok=False, number=1))
        assert [found.number for found in follower.operations()] == [1]
        writer.write(probe(1000, number=1))
        writer.write(probe(1001, number=2))
        with (tmp_path / "operations-0.jsonl").open("a") as file:
            file.write('{"number": 3')
        assert [(found.number, found.outcome) for found in follower.operations()] == [(1, "ok"), (2, "ok")]


def test_the_page_marks_fault_and_outage():
    found = values(result(outage=3))
    assert spans_of(found) == [Span(60, 100, "fault"), Span(62, 65.1, "outage")]
    text = "".join(sections_of(found))
    for part in (
        "process 1 is gone",
        "temporal-history",
        "ringpop",
        "outage seconds",
        "redundant seconds",
        "all tenants",
    ):
        assert part in text


def test_the_page_of_a_drill_without_a_fault():
    found = values(invalid())
    assert spans_of(found) == []
    assert "Nobody predicted this drill." in "".join(sections_of(found))


def test_an_export_has_every_part_of_an_experiment_and_calls_this_command_line():
    for made in load_all("none").values():
        found = experiment(made, "local")
        assert {
            "version",
            "title",
            "description",
            "steady-state-hypothesis",
            "method",
            "rollbacks",
        } <= found.keys()
        activities = [*found["steady-state-hypothesis"]["probes"], *found["method"], *found["rollbacks"]]
        assert all(
            one["provider"]["type"] == "process" and one["provider"]["path"] == "python" for one in activities
        )
        assert all(one["tolerance"] == 0 for one in found["steady-state-hypothesis"]["probes"])
        (action,) = found["method"]
        assert action["provider"]["arguments"][:4] == ["-m", "load_tests", "drill", made.name]
