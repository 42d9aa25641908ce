"""Early timers, effects, histories gone back, determinism: what is a finding and what is not."""

from __future__ import annotations

import pytest

from load_tests.checker.invariants import (
    determinism,
    early_timers,
    histories_gone_back,
    missing_effects,
    repeated_effects,
)
from load_tests.checker.observations import Digest, Sample, Status, Step, Timer
from load_tests.models import OperationKind, Outcome
from tests.load_tests.checker.support import entry, operation, run, seen, start
from worker.simulator.store import Entry, Kind
from worker.simulator.store import Outcome as Effect

KEY = "w/r/apply"


@pytest.mark.parametrize(
    ("fired", "details"),
    [
        (110.0, []),
        (112.0, []),
        (109.9995, []),
        (109.5, ["fired 9.500 s after it was started, should be 10 s"]),
    ],
)
def test_early_timers(fired: float, details: list[str]) -> None:
    observed = seen(run(timers=(Timer("1", 100.0, 10.0, fired),)))

    judged = early_timers.judge(observed, [])

    assert [finding.detail for finding in judged.findings] == details
    assert judged.checked == 1


@pytest.mark.parametrize(
    ("is_completed", "ledger", "missing", "repeated"),
    [
        (True, [entry(KEY)], 0, 0),
        (True, [], 1, 0),
        (False, [], 0, 0),
        (False, [entry(KEY)], 0, 0),
        # A step tried again, which the router recognised.
        (True, [entry(KEY), entry(KEY, Effect.DUPLICATE)], 0, 0),
        (True, [entry(KEY, Effect.DUPLICATE)], 1, 0),
        (True, [entry(KEY, Effect.LIED)], 1, 0),
        (True, [entry(KEY), entry(KEY)], 0, 1),
        (True, [entry(KEY), entry("w/r/other")], 0, 1),
        (True, [entry(KEY), entry("w/lost-run/apply")], 0, 1),
        (True, [entry(KEY), entry("stranger/r/apply")], 0, 0),
        # What a router undoes by itself nobody asked for.
        (True, [entry(KEY), entry(f"{KEY}#reverted", kind=Kind.REVERT)], 0, 0),
        # A roll-back that came before the change bars it.
        (False, [entry(KEY, Effect.WITHDRAWN)], 0, 0),
    ],
)
def test_effects(is_completed: bool, ledger: list[Entry], missing: int, repeated: int) -> None:
    observed = seen(run(steps=(Step(KEY, "apply", is_completed),)), ledger=tuple(ledger))

    assert len(missing_effects.judge(observed, [start()]).findings) == missing
    assert len(repeated_effects.judge(observed, [start()]).findings) == repeated


def test_effects_are_not_checked_without_a_ledger() -> None:
    observed = seen(run(steps=(Step(KEY, "apply", is_completed=True),)))

    assert missing_effects.judge(observed, [start()]).checked == 0
    assert repeated_effects.judge(observed, [start()]).checked == 0


def digests(*fingerprints: bytes) -> tuple[Digest, ...]:
    return tuple(Digest(number, 1, value) for number, value in enumerate(fingerprints, 1))


@pytest.mark.parametrize(
    ("views", "final", "details"),
    [
        ([[b"a"], [b"a", b"b"]], [b"a", b"b", b"c"], []),
        ([[b"a", b"b"]], [b"a"], ["had 2 events, and has only 1 now"]),
        ([[b"a", b"b"]], [b"a", b"x", b"c"], ["had 2 events, and is another at event 2 now"]),
        ([[b"a", b"b"], [b"a"]], [b"a", b"b"], ["had 2 events, and has only 1 now"]),
        ([], [b"a"], []),
    ],
)
def test_histories_gone_back(views: list[list[bytes]], final: list[bytes], details: list[str]) -> None:
    one = run(digests=digests(*final))
    samples = tuple(Sample(one.target, 1.0, digests(*view)) for view in views)

    judged = histories_gone_back.judge(seen(one, samples=samples), [start()])

    assert [finding.detail for finding in judged.findings] == details


def test_history_that_was_seen_and_is_gone_has_gone_back_unless_its_start_counts_as_lost() -> None:
    samples = (Sample(run().target, 1.0, digests(b"a")),)
    unknown = start(outcome=Outcome.UNKNOWN, run_id="")

    assert len(histories_gone_back.judge(seen(samples=samples), [unknown]).findings) == 1
    assert len(histories_gone_back.judge(seen(samples=samples), [start()]).findings) == 0


def test_workflow_whose_end_was_told_is_not_open_again() -> None:
    told = operation(OperationKind.RESULT, run_id="r")

    (finding,) = histories_gone_back.judge(seen(run(status=Status.RUNNING)), [told]).findings

    assert finding.detail == "had ended by what a client was told, and is open"
    assert histories_gone_back.judge(seen(run()), [told]).findings == ()


def test_determinism() -> None:
    fits = seen(run(), replays={"r": ""})
    misfits = seen(run(), replays={"r": "NondeterminismError()"})
    said_so = seen(run(misfits=(7,)), replays={"r": ""})

    assert determinism.judge(fits, []).findings == ()
    assert [f.detail for f in determinism.judge(misfits, []).findings] == [
        "does not replay: NondeterminismError()"
    ]
    assert [f.detail for f in determinism.judge(said_so, []).findings] == [
        "did not fit the code of a worker, events 7"
    ]
