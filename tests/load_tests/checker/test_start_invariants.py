"""Lost, duplicate and stuck starts, wrong results, visibility: what is a finding and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from load_tests.checker.expectations import fails, returns, returns_including
from load_tests.checker.invariants import (
    duplicate_starts,
    lost_starts,
    stuck_workflows,
    visibility,
    wrong_results,
)
from load_tests.checker.observations import Observations, Run, Status, Target, Unread, VisibleRun
from load_tests.errors import LoadTestError
from load_tests.models import Operation, OperationKind, Outcome
from tests.load_tests.checker.support import NAMESPACE, operation, run, seen, start

UNKNOWN = start(outcome=Outcome.UNKNOWN, run_id="")
NOBODYS = run("s", request_id="another")


@pytest.mark.parametrize(
    ("observed", "operations", "checked", "subjects"),
    [
        (seen(run()), [start()], 1, []),
        (seen(), [start()], 1, ["w run r"]),
        (seen(run("s")), [start()], 1, ["w run r"]),
        (seen(), [UNKNOWN], 0, []),
        (seen(), [start(outcome=Outcome.FAILED)], 0, []),
        # Somebody joined a run without being told which.
        (seen(run()), [start(run_id="")], 1, []),
        # Nobody could read it: that makes the verdict inconclusive, not the start lost.
        (seen(unread=(Unread("w run r", "UNAVAILABLE", Target(NAMESPACE, "w", "r")),)), [start()], 1, []),
    ],
)
def test_lost_starts(
    observed: Observations, operations: list[Operation], checked: int, subjects: list[str]
) -> None:
    judged = lost_starts.judge(observed, operations)

    assert [finding.subject for finding in judged.findings] == subjects
    assert judged.checked == checked


def test_run_that_a_history_names_and_the_store_has_not_is_lost() -> None:
    target, child = Target(NAMESPACE, "w", "s"), Target(NAMESPACE, "child", "c")
    first = run(status=Status.CONTINUED_AS_NEW, continued_as="s", children=(child,))

    judged = lost_starts.judge(seen(first, missing=frozenset({target, child})), [start()])

    assert [str(finding) for finding in judged.findings] == [
        "lost starts: w run s: is named by the history of w run r and is not in the store",
        "lost starts: child run c: is named by the history of w run r and is not in the store",
    ]
    assert judged.checked == 3


@pytest.mark.parametrize(
    ("runs", "operations", "findings"),
    [
        ([run()], [start()], 0),
        ([run(), NOBODYS], [start()], 1),
        # Two starts joined one run.
        ([run()], [start(), start(key="another")], 0),
        ([], [UNKNOWN], 0),
        ([run()], [UNKNOWN], 0),
        ([run(), NOBODYS], [UNKNOWN], 1),
        ([run(), run("s")], [UNKNOWN], 1),
        ([run("s", request_id="")], [UNKNOWN], 0),
        ([run("s", request_id=""), run("t", request_id="")], [UNKNOWN], 1),
        # A start whose request id the client did not say may have made any one run.
        ([NOBODYS], [start(key="", outcome=Outcome.UNKNOWN, run_id="")], 0),
        ([run()], [start(outcome=Outcome.FAILED, run_id="")], 1),
        ([], [start(outcome=Outcome.FAILED, run_id="")], 0),
        # What continues a run as new is no start of its own, and neither is a child.
        ([run(continued_as="s"), run("s", first_run_id="r", request_id="")], [start()], 0),
        ([run(), run("s", request_id="", parent_id="parent")], [start()], 0),
    ],
)
def test_duplicate_starts(runs: list[Run], operations: list[Operation], findings: int) -> None:
    assert len(duplicate_starts.judge(seen(*runs), operations).findings) == findings


@pytest.mark.parametrize(
    ("runs", "checked", "subjects"),
    [
        ([run()], 1, []),
        ([run(status=Status.RUNNING)], 1, ["w run r"]),
        ([run(status=Status.PAUSED)], 1, ["w run r"]),
        (
            [
                run(status=Status.CONTINUED_AS_NEW, continued_as="s"),
                run("s", first_run_id="r", status=Status.RUNNING),
            ],
            1,
            ["w run s"],
        ),
        # A child that waits for ever is stuck too.
        ([run(), run("c", "child", parent_id="w", status=Status.RUNNING)], 2, ["child run c"]),
    ],
)
def test_stuck_workflows(runs: list[Run], checked: int, subjects: list[str]) -> None:
    judged = stuck_workflows.judge(seen(*runs), [start()])

    assert [finding.subject for finding in judged.findings] == subjects
    assert judged.checked == checked


@pytest.mark.parametrize(
    ("expected", "ended", "details"),
    [
        ("", run(result={"any": "thing"}), []),
        ("", run(status=Status.FAILED, failure="Broken"), ["is Failed (Broken), should be Completed"]),
        ("", run(status=Status.TIMED_OUT), ["is TimedOut, should be Completed"]),
        ("", run(status=Status.RUNNING), []),
        (returns({"a": 1}), run(result={"a": 1}), []),
        (returns({"a": 1}), run(result={"a": 2}), ['returned {"a": 2}, should be {"a": 1}']),
        (returns(None), run(result=None), []),
        (returns_including({"a": 1}), run(result={"a": 1, "b": 2}), []),
        (returns_including({"a": 1}), run(result={"b": 2}), ['returned {"a": null}, should be {"a": 1}']),
        (returns_including({"a": 1}), run(result=3), ['returned 3, should be an object with {"a": 1}']),
        (fails("Refused"), run(status=Status.FAILED, failure="Refused"), []),
        (
            fails("Refused"),
            run(status=Status.FAILED, failure="Broken"),
            ["is Failed (Broken), should have failed with Refused"],
        ),
        (fails("Refused"), run(), ["is Completed, should have failed with Refused"]),
    ],
)
def test_wrong_results(expected: str, ended: Run, details: list[str]) -> None:
    judged = wrong_results.judge(seen(ended), [start(expected=expected)])

    assert [finding.detail for finding in judged.findings] == details


def test_result_of_a_line_of_runs_is_its_last() -> None:
    runs = [run(status=Status.CONTINUED_AS_NEW, continued_as="s"), run("s", first_run_id="r", result=2)]

    assert wrong_results.judge(seen(*runs), [start(expected="2")]).findings == ()
    assert len(wrong_results.judge(seen(*runs), [start(expected="1")]).findings) == 1


def test_result_of_a_start_whose_answer_got_lost_counts() -> None:
    unknown = start(expected="1", outcome=Outcome.UNKNOWN, run_id="")

    assert len(wrong_results.judge(seen(run(result=2)), [unknown]).findings) == 1


def test_malformed_expectation_is_the_scenarios_fault() -> None:
    with pytest.raises(LoadTestError) as caught:
        wrong_results.judge(seen(run()), [start(expected="{")])

    assert str(caught.value).startswith("expected: '{' of w run r must be JSON (")


def row(run_id: str, status: Status = Status.COMPLETED, workflow_id: str = "w") -> VisibleRun:
    return VisibleRun(Target(NAMESPACE, workflow_id, run_id), status)


@pytest.mark.parametrize(
    ("visible", "checked", "details"),
    [
        (None, 0, []),
        ([row("r")], 1, []),
        ([], 1, ["lists 0 runs, should be 1; they differ in w run r"]),
        ([row("r"), row("s")], 1, ["lists 2 runs, should be 1; they differ in w run s"]),
        (
            [row("r", Status.RUNNING)],
            1,
            ["lists 1 runs, should be 1; they differ in w run r, w run r"],
        ),
    ],
)
def test_visibility(visible: Sequence[VisibleRun] | None, checked: int, details: list[str]) -> None:
    child = run("c", "child", parent_id="w")
    observed = seen(run(), child, visible=None if visible is None else tuple(visible))

    judged = visibility.judge(observed, [start(), operation(OperationKind.SIGNAL, key="1")])

    assert [finding.detail for finding in judged.findings] == details
    assert judged.checked == checked
