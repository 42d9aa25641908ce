"""What a run comes to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from load_tests.generator.self_check import Quality
from load_tests.models import ClientKind, Outcome
from load_tests.runs.summary import Summary
from worker.bench.support.verdict import Verdict


@dataclass(frozen=True)
class Checked:
    """What the checker said.

    Attributes:
        verdict: Of the checker alone.
        reasons: Its findings, or why it could not tell; one line each.
        table: By invariant what it looked at, for the report.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    table: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """A run's verdict, with the reasons for it."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(summary: Summary, quality: Quality, checked: Checked, *, is_interrupted: bool = False) -> Judgement:
    """Return what a run without faults comes to.

    A loss that was found is one, however good the measurement was, so it comes first; else a bad measurement
    shows nothing.
    """
    if checked.verdict is Verdict.FAIL:
        return Judgement(Verdict.FAIL, checked.reasons)
    if is_interrupted:
        return Judgement(Verdict.INCONCLUSIVE, ("it was interrupted",))
    if complaints := quality.complaints():
        return Judgement(Verdict.INVALID, tuple(complaints))
    if failures := user_failures(summary):
        return Judgement(Verdict.FAIL, tuple(failures))
    if not summary.count(ClientKind.USER, Outcome.OK):
        return Judgement(Verdict.INCONCLUSIVE, ("no user's operation was due",))
    if checked.verdict is Verdict.INCONCLUSIVE:
        return Judgement(Verdict.INCONCLUSIVE, checked.reasons)
    return Judgement(Verdict.PASS, ("every operation of the users was acknowledged, and the store agrees",))


def user_failures(summary: Summary) -> Sequence[str]:
    """Return what users had to see that they should not have."""
    words = {
        Outcome.FAILED: "were refused or failed",
        Outcome.UNKNOWN: "had no answer within their deadline",
        Outcome.NOT_SENT: "could not be sent: as many as the cap allows were under way",
    }
    counts = {outcome: summary.count(ClientKind.USER, outcome) for outcome in words}
    return [f"{count} operations of users {words[outcome]}" for outcome, count in counts.items() if count]
