"""How a benchmark ends."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a run has shown."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    INVALID = "INVALID"
    """The measurement itself was not good, so it shows nothing."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Measured well, but too little to judge by."""

    @property
    def exit_code(self) -> int:
        """The process's exit code."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INVALID: 3, Verdict.INCONCLUSIVE: 4}[self]
