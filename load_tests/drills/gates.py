"""From what a drill showed to its verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from load_tests.drills.drill import Limits
from load_tests.drills.measures import Measures
from load_tests.runs.judgement import Checked, Judgement
from worker.bench.support.verdict import Verdict

OPERATIONS_MIN = 30
"""Before and after the fault; with fewer the 99th percentile is one operation's luck."""
_WORDS = {
    "outage_seconds": ("outage", "s"),
    "failed_operations": ("users' operations that failed", ""),
    "failed_probes": ("probes that failed", ""),
    "violations": ("violations that the checker found", ""),
    "p99_ratio": ("p99 from start to close after the fault against before", "x"),
}


@dataclass(frozen=True)
class Mark:
    """One figure against its gate and its goal."""

    name: str
    value: float | None
    gate: float | None
    goal: float | None

    @property
    def is_within_gate(self) -> bool:
        """Whether it decides nothing, or is good enough."""
        return self.gate is None or (self.value is not None and self.value <= self.gate)

    @property
    def is_within_goal(self) -> bool | None:
        """Whether it is as good as wished; None: there is no wish."""
        return None if self.goal is None else self.value is not None and self.value <= self.goal

    def complaint(self) -> str:
        """Return what is wrong with it, in one line."""
        words, unit = _WORDS[self.name]
        value = "not known" if self.value is None else f"{self.value:g}{unit and ' ' * (unit == 's') + unit}"
        return f"{words}: {value}, the gate is {self.gate:g}"


@dataclass(frozen=True)
class Course:
    """How a drill went, apart from its figures.

    Attributes:
        invalid: Why it shows nothing: not steady before, the fault not injected, the generator late; one line each.
        broken: What the system did not manage: not Ready again, a restart that did not end.
        unknown: Why it is not known how it went.
        is_interrupted: Whether somebody ended it.
    """

    invalid: Sequence[str] = ()
    broken: Sequence[str] = ()
    unknown: Sequence[str] = ()
    is_interrupted: bool = False


def marks(measures: Measures, violations: int | None, gates: Limits, goals: Limits) -> list[Mark]:
    """Return every figure that has a gate or a goal; `violations` is None where the checker did not look."""
    found: list[Mark] = []
    for item in fields(Limits):
        value: float | None = violations if item.name == "violations" else getattr(measures, item.name)
        gate, goal = getattr(gates, item.name), getattr(goals, item.name)
        if gate is not None or goal is not None:
            found.append(Mark(item.name, value, gate, goal))
    return found


def decide(
    course: Course,
    checked: Checked,
    measures: Measures | None,
    marked: Sequence[Mark],
    surprises: Sequence[str],
) -> Judgement:
    """Return a drill's verdict.

    What was lost is lost however badly it was measured, so that comes first; else a bad measurement shows nothing.

    Args:
        course: How it went.
        checked: What the checker said.
        measures: None where it ended before there was anything to measure.
        marked: Figures against their gates.
        surprises: Where the prediction was wrong.
    """
    gate_of_violations = next((mark for mark in marked if mark.name == "violations"), None)
    is_loss_allowed = gate_of_violations is not None and gate_of_violations.is_within_gate
    if checked.verdict is Verdict.FAIL and not is_loss_allowed:
        return Judgement(Verdict.FAIL, checked.reasons)
    if course.invalid:
        return Judgement(Verdict.INVALID, tuple(course.invalid))
    if course.is_interrupted or measures is None:
        return Judgement(Verdict.INCONCLUSIVE, ("it was interrupted",))
    unknown = [*course.unknown, *_too_few(measures)]
    if checked.verdict is Verdict.INCONCLUSIVE:
        unknown += checked.reasons
    # A figure that could not be measured breaks no gate: it leaves the drill open.
    missed = [mark.complaint() for mark in marked if mark.value is not None and not mark.is_within_gate]
    if failures := [*course.broken, *missed, *surprises]:
        return Judgement(Verdict.FAIL, tuple(failures))
    unknown += [mark.complaint() for mark in marked if mark.value is None and mark.gate is not None]
    if unknown:
        return Judgement(Verdict.INCONCLUSIVE, tuple(unknown))
    return Judgement(Verdict.PASS, ("every gate was met",))


def _too_few(measures: Measures) -> list[str]:
    counts = {"before the fault": measures.before.operations, "after it": measures.after.operations}
    found = [
        f"only {count} operations {when} to take latencies from, {OPERATIONS_MIN} are needed"
        for when, count in counts.items()
        if count < OPERATIONS_MIN
    ]
    if not measures.probes:
        found.append("no probe was due through a zone that the fault leaves alone")
    return found
