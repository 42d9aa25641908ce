"""What an invariant says: how much it looked at, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it has to be."""

    invariant: str
    subject: str
    """The workflow, the message, the timer, the effect it is about."""
    detail: str
    """What is and what should be, in one line."""

    def __str__(self) -> str:
        return f"{self.invariant}: {self.subject}: {self.detail}"


@dataclass(frozen=True)
class Judgement:
    """What one invariant makes of a run under test."""

    invariant: str
    checked: int
    """Subjects looked at. 0: the run had nothing of the kind, so that no finding means nothing."""
    subjects: str
    """What is counted, in the plural."""
    findings: tuple[Finding, ...]

    @classmethod
    def of(
        cls, invariant: str, subjects: str, checked: int, problems: Iterable[tuple[str, str]]
    ) -> Judgement:
        """Make a judgement from pairs of subject and detail."""
        findings = tuple(Finding(invariant, subject, detail) for subject, detail in problems)
        return cls(invariant, checked, subjects, findings)
