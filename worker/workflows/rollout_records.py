"""What a rollout remembers of the routers it has reached; no workflow, and pure."""

from __future__ import annotations

from collections import Counter

from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

from worker.errors import FailureType
from worker.models.rollout import FAILURES_MAX, REASON_CHARACTERS_MAX, Carried, Ending, RouterFailure

_ENDINGS = {
    FailureType.DEPLOYMENT_REFUSED.value: Ending.REFUSED,
    FailureType.DEPLOYMENT_ROLLED_BACK.value: Ending.ROLLED_BACK,
    FailureType.ROLLBACK_FAILED.value: Ending.ROLLBACK_FAILED,
}


class RolloutRecords:
    """Endings of routers, over all runs of a rollout."""

    def __init__(self, carried: Carried | None) -> None:
        self.endings = dict(carried.endings) if carried else {}
        self.failures = list(carried.failures) if carried else []
        self.failed = sum(1 for ending in self.endings.values() if ending.is_failure)
        self.reached = 0
        """In this run."""

    def note(self, router: str, ending: Ending, reason: str = "") -> None:
        """Take down what became of a router."""
        self.endings[router] = ending
        self.reached += ending is not Ending.NOT_REACHED
        if not ending.is_failure:
            return
        self.failed += 1
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(RouterFailure(router, ending, reason[:REASON_CHARACTERS_MAX]))

    def counts(self) -> dict[str, int]:
        """Return the number of routers by ending."""
        counts = Counter(ending.value for ending in self.endings.values())
        return dict(sorted(counts.items()))


def ending_of(error: ChildWorkflowError) -> tuple[Ending, str]:
    """Return what a deployment that did not end well has done to its router, and why."""
    cause = error.cause
    if is_cancelled_exception(error):
        return Ending.CANCELLED, "cancelled"
    ending = _ENDINGS.get(cause.type or "") if isinstance(cause, ApplicationError) else None
    return ending or Ending.LOST, cause.message if isinstance(cause, FailureError) else str(error)
