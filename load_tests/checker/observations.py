"""What was read about the workflows under test: facts only, no judgement.

One `Run` per workflow run, with what the invariants need of its history. The events themselves are not kept:
a load test has tens of thousands of histories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from worker.simulator.store import Entry


@dataclass(frozen=True, order=True)
class Target:
    """A workflow, or one run of it."""

    namespace: str
    workflow_id: str
    run_id: str = ""
    """Empty: whichever run is the current one."""

    def __str__(self) -> str:
        return f"{self.workflow_id} run {self.run_id}" if self.run_id else self.workflow_id


class Status(StrEnum):
    """Of a run, as Temporal names it."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    TIMED_OUT = "TimedOut"
    PAUSED = "Paused"

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended."""
        return self not in {Status.RUNNING, Status.PAUSED}


class MessageKind(StrEnum):
    """How a message came."""

    SIGNAL = "signal"
    UPDATE = "update"


@dataclass(frozen=True)
class Message:
    """A signal or an accepted update in a history."""

    token: str
    kind: MessageKind
    event_id: int


@dataclass(frozen=True)
class Timer:
    """A timer that has fired. Times are the server's, in seconds since the Unix epoch."""

    timer_id: str
    started: float
    seconds: float
    """How long it had to wait."""
    fired: float

    @property
    def late_seconds(self) -> float:
        """How long after it was due it fired; below 0: early."""
        return self.fired - self.started - self.seconds


@dataclass(frozen=True)
class Step:
    """An activity that changes something outside, by the idempotency key in its input."""

    key: str
    activity: str
    is_completed: bool
    """Whether history says that it has been done; else it may have been, or not."""


@dataclass(frozen=True)
class Digest:
    """One event of a history, small enough to keep."""

    event_id: int
    event_type: int
    fingerprint: bytes


@dataclass(frozen=True)
class Run:
    """One run of a workflow as the store has it."""

    target: Target
    workflow_type: str
    status: Status
    request_id: str
    """Of the start that made it; empty where the server does not say or no client made it."""
    first_run_id: str
    """Of its line of runs: one start, then those that continue it as new."""
    parent_id: str = ""
    """Workflow id of the parent; empty when a client or a schedule started it."""
    continued_from: str = ""
    """Run id of the run before it in its line."""
    continued_as: str = ""
    """Run id of the run after it in its line."""
    children: tuple[Target, ...] = ()
    result: object = None
    """What it returned, as plain JSON values."""
    failure: str = ""
    """Type of the failure that it ended with."""
    messages: tuple[Message, ...] = ()
    timers: tuple[Timer, ...] = ()
    steps: tuple[Step, ...] = ()
    digests: tuple[Digest, ...] = field(default=(), repr=False)
    """Of a run that was sampled; else empty."""
    misfits: tuple[int, ...] = ()
    """Ids of events in which a worker said that history does not fit the workflow's code."""

    @property
    def is_first(self) -> bool:
        """Whether it begins its line of runs."""
        return self.first_run_id == self.target.run_id

    @property
    def is_last(self) -> bool:
        """Whether nothing continues it."""
        return not self.continued_as


@dataclass(frozen=True)
class Unread:
    """Something that could not be read, so nothing can be said about it."""

    subject: str
    reason: str
    target: Target | None = None
    """The workflow or the run; None: it is not about one."""


@dataclass(frozen=True)
class Sample:
    """A run's history as it was at some time during the run under test."""

    target: Target
    taken: float
    """Seconds since the Unix epoch."""
    digests: tuple[Digest, ...] = field(repr=False)


@dataclass(frozen=True)
class VisibleRun:
    """A run as visibility lists it."""

    target: Target
    status: Status


@dataclass(frozen=True)
class Observations:
    """Everything that was read.

    Attributes:
        runs: By run id.
        missing: What the store says it does not have.
        unread: What it did not say anything about.
        samples: Histories during the run, oldest first.
        ledger: What was done to the simulated routers; None: nobody looked.
        visible: What visibility lists for the workflow ids of the operations; None: nobody looked.
        replays: What became of the replay of each history, by run id; empty: it fits the code.
        unknown_types: Workflow types of which there was no code to replay with.
        visibility_seconds: How long visibility took to agree with the store; None: it did not, or nobody looked.
    """

    runs: Mapping[str, Run]
    missing: frozenset[Target] = frozenset()
    unread: tuple[Unread, ...] = ()
    samples: tuple[Sample, ...] = ()
    ledger: tuple[Entry, ...] | None = None
    visible: tuple[VisibleRun, ...] | None = None
    replays: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown_types: frozenset[str] = frozenset()
    visibility_seconds: float | None = None

    @cached_property
    def by_workflow(self) -> Mapping[tuple[str, str], list[Run]]:
        """Every run of each namespace's workflow ids."""
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self.runs.values():
            found.setdefault((run.target.namespace, run.target.workflow_id), []).append(run)
        return found

    @cached_property
    def unread_workflows(self) -> frozenset[tuple[str, str]]:
        """Namespace and id of every workflow of which something could not be read: it is not judged."""
        targets = [unread.target for unread in self.unread if unread.target is not None]
        return frozenset((target.namespace, target.workflow_id) for target in targets)

    def is_unread(self, namespace: str, workflow_id: str) -> bool:
        """Return whether something of the workflow could not be read."""
        return (namespace, workflow_id) in self.unread_workflows

    def runs_of(self, namespace: str, workflow_id: str) -> list[Run]:
        """Return every run of a workflow id."""
        return self.by_workflow.get((namespace, workflow_id), [])

    def last_of(self, run: Run) -> Run:
        """Return the last run that was read of a run's line."""
        while run.continued_as in self.runs:
            run = self.runs[run.continued_as]
        return run

    def line_of(self, first: Run) -> list[Run]:
        """Return a line of runs from its first on."""
        line = [first]
        while line[-1].continued_as in self.runs:
            line.append(self.runs[line[-1].continued_as])
        return line
