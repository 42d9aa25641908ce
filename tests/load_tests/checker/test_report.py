"""From findings to the verdict, the table and JSON."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from load_tests.checker import judge
from load_tests.checker.measures import measures
from load_tests.checker.observations import Status, Timer, Unread
from tests.load_tests.checker.support import entry, run, seen, start
from worker.bench.support.verdict import Verdict
from worker.simulator.store import Outcome

UNREAD = Unread("v", "UNAVAILABLE: nobody is there")


def test_verdict() -> None:
    stuck = run(status=Status.RUNNING)

    assert judge(seen(run()), [start()]).verdict is Verdict.PASS
    assert judge(seen(run(), unread=(UNREAD,)), [start()]).verdict is Verdict.INCONCLUSIVE
    assert judge(seen(), []).verdict is Verdict.INCONCLUSIVE
    # What was found is found, whatever else could not be read.
    assert judge(seen(stuck, unread=(UNREAD,)), [start()]).verdict is Verdict.FAIL


def test_table_says_what_was_not_checked() -> None:
    output = StringIO()

    Console(file=output, width=100).print(judge(seen(run(status=Status.RUNNING)), [start()]).table())

    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.getvalue().splitlines()]
    assert ["stuck workflows", "1", "1", "workflows"] in lines
    assert ["early timers", "nothing to check", "0", "fired timers"] in lines


def test_json() -> None:
    values = judge(seen(run(status=Status.RUNNING), unread=(UNREAD,)), [start()]).to_dict()

    assert values["verdict"] == "FAIL"
    assert values["invariants"][2] == {
        "invariant": "stuck workflows",
        "subjects": "workflows",
        "checked": 1,
        "violated": 1,
    }
    assert values["findings"] == [
        {
            "invariant": "stuck workflows",
            "subject": "w run r",
            "detail": "is Running, should have ended by now",
        }
    ]
    assert values["unread"] == [{"subject": "v", "reason": "UNAVAILABLE: nobody is there"}]


def test_measures() -> None:
    timers = tuple(Timer(str(late), 100.0, 10.0, 110.0 + late) for late in (0.25, 0.5, 4.0))
    ledger = (entry("w/r/apply"), entry("w/r/apply", Outcome.DUPLICATE))

    assert measures(seen(run(timers=timers), ledger=ledger, visibility_seconds=1.5)) == {
        "timers_late_p50_seconds": 0.5,
        "timers_late_p999_seconds": 4.0,
        "timers_late_max_seconds": 4.0,
        "steps_repeated": 1.0,
        "visibility_seconds": 1.5,
    }
    assert set(measures(seen()).values()) == {None}


def test_table_names_what_was_not_replayed() -> None:
    report = judge(seen(run(), unread=(UNREAD,), unknown_types=frozenset({"Test"})), [start()])

    assert report.table().caption == "1 subjects could not be read; not replayed for want of code: Test"
