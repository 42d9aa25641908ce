"""From judgements to a verdict, a table and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from load_tests.checker.findings import Finding, Judgement
from load_tests.checker.invariants import INVARIANTS
from load_tests.checker.measures import measures
from load_tests.checker.observations import Observations, Unread
from load_tests.models import Operation
from worker.bench.support.verdict import Verdict

_FINDINGS_LISTED = 1000
"""In the JSON; the number says how many there are."""


@dataclass(frozen=True)
class Report:
    """What the checker says of a run."""

    judgements: tuple[Judgement, ...]
    unread: tuple[Unread, ...]
    """What could not be read, so that nothing is known about it."""
    measures: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    """Figures by name (`load_tests.checker.measures`)."""
    unreplayed_types: tuple[str, ...] = ()
    """Workflow types whose histories were not replayed for want of code."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, by invariant."""
        return tuple(finding for judgement in self.judgements for finding in judgement.findings)

    @property
    def verdict(self) -> Verdict:
        """FAIL for any finding; else INCONCLUSIVE when something was not read or nothing was checked; else PASS."""
        if self.findings:
            return Verdict.FAIL
        is_nothing = not any(judgement.checked for judgement in self.judgements)
        return Verdict.INCONCLUSIVE if self.unread or is_nothing else Verdict.PASS

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict.value,
            "invariants": [
                {
                    "invariant": judgement.invariant,
                    "subjects": judgement.subjects,
                    "checked": judgement.checked,
                    "violated": len(judgement.findings),
                }
                for judgement in self.judgements
            ],
            "findings_total": len(self.findings),
            "findings": [asdict(finding) for finding in self.findings[:_FINDINGS_LISTED]],
            "unread_total": len(self.unread),
            "unread": [
                {"subject": unread.subject, "reason": unread.reason}
                for unread in self.unread[:_FINDINGS_LISTED]
            ],
            "measures": dict(self.measures),
            "unreplayed_types": list(self.unreplayed_types),
        }

    def table(self) -> Table:
        """Return a table for people: each invariant, how much was checked, how much was violated."""
        result = Table("invariant", "checked", "violated", "of", title=f"Checker: {self.verdict}")
        for judgement in self.judgements:
            violated = str(len(judgement.findings))
            result.add_row(
                judgement.invariant,
                str(judgement.checked) if judgement.checked else "nothing to check",
                f"[red]{violated}[/]" if judgement.findings else violated,
                judgement.subjects,
            )
        notes = [f"{len(self.unread)} subjects could not be read"] if self.unread else []
        if self.unreplayed_types:
            notes.append(f"not replayed for want of code: {', '.join(self.unreplayed_types)}")
        result.caption = "; ".join(notes) or None
        return result


def judge(observations: Observations, operations: Sequence[Operation]) -> Report:
    """Return what every invariant makes of what was read."""
    return Report(
        judgements=tuple(invariant(observations, operations) for invariant in INVARIANTS),
        unread=observations.unread,
        measures=measures(observations),
        unreplayed_types=tuple(sorted(observations.unknown_types)),
    )
