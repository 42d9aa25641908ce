"""What was asked of the system and what became of it: the records that generator, checker and reports share.

All times are seconds since the Unix epoch, of one clock: the generator reads the wall clock once, when a run
begins, and adds what the monotonic clock says, so that a step of the wall clock moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ClientKind(StrEnum):
    """Who asks."""

    USER = "user"
    """Tries again until its deadline, as the teams' clients do."""
    PROBE = "probe"
    """Asks once and waits a second: what it misses is the raw unavailability."""


class OperationKind(StrEnum):
    """What is asked for."""

    START = "start"
    SIGNAL = "signal"
    UPDATE = "update"
    QUERY = "query"
    RESULT = "result"
    """Waiting for a workflow's end, from the intended time of its start."""


class Outcome(StrEnum):
    """What an operation came to, classed as Jepsen does."""

    OK = "ok"
    """Acknowledged."""
    FAILED = "failed"
    """Refused: it has certainly had no effect."""
    UNKNOWN = "unknown"
    """No answer: it has had its effect, or not, or will."""
    NOT_SENT = "not sent"
    """Due, but the generator's cap of outstanding operations was reached. Counts as a failure of the run."""


@dataclass(frozen=True)
class Operation:
    """One operation as its client saw it.

    Attributes:
        number: Unique among the operations of one run.
        kind: What was asked for.
        client: Who asked.
        tenant: Whose.
        zone: Through whose load balancer; empty where there are no zones.
        namespace: Temporal namespace.
        workflow_id: Of the workflow it is about.
        key: What identifies the operation's effect: the request id of a start, the token that a signal or an
            update carries (unique among those of its workflow; tokens of one sender count up from 1).
        intended: When it was due.
        sent: When it was sent; None if it was not.
        ended: When the answer came or the client gave up; None if it was not sent.
        outcome: What it came to.
        run_id: Of the acknowledged workflow run; empty if there is none.
        error: gRPC status of the last answer, such as `UNAVAILABLE`; empty when acknowledged.
        attempts: Calls made, those of the SDK within one call not counted.
        expected: For a start: what the workflow has to return, as JSON; empty where nothing is known beforehand.
    """

    number: int
    kind: OperationKind
    client: ClientKind
    tenant: str
    zone: str
    namespace: str
    workflow_id: str
    key: str
    intended: float
    sent: float | None = None
    ended: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    run_id: str = ""
    error: str = ""
    attempts: int = 0
    expected: str = ""

    @property
    def latency_seconds(self) -> float | None:
        """From when it was due to when the answer came; None while there is none."""
        return None if self.ended is None else self.ended - self.intended
