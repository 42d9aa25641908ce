"""What the operations of a run show: latencies, availability, outages. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from load_tests.histograms import Latencies
from load_tests.models import ClientKind, Operation, Outcome


@dataclass
class Second:
    """What was due in one second of the run."""

    due: int = 0
    ok: int = 0


@dataclass
class Summary:
    """What a run's operations show.

    Attributes:
        begin: When the first operation could be due, in seconds since the Unix epoch.
        seconds: How long operations were sent.
        outcomes: Of users and of probes, how many operations came to what.
        latencies: By client, kind and tenant, such as `user start chogar`, and `user start` for all tenants.
        availability: By zone, of each second what part of the probes was acknowledged; None: none was due.
        rates: Users' operations due and acknowledged in each second, timed by when they were due.
        slowest: Of each second the longest latency of the users' operations due in it, by kind, in seconds.
        errors: How often each status was the last that a client saw, by client and status.
    """

    begin: float
    seconds: float
    outcomes: dict[ClientKind, Counter[Outcome]]
    latencies: dict[str, Latencies]
    availability: dict[str, list[float | None]]
    rates: list[Second]
    slowest: dict[str, list[float | None]] = field(default_factory=dict[str, "list[float | None]"])
    errors: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])

    def count(self, client: ClientKind, *outcomes: Outcome) -> int:
        """Return how many operations of a client came to one of these."""
        return sum(self.outcomes[client][outcome] for outcome in outcomes)

    @property
    def unanswered(self) -> int:
        """Users' operations that were not acknowledged."""
        total = self.outcomes[ClientKind.USER].total()
        return total - self.count(ClientKind.USER, Outcome.OK)

    @property
    def outages(self) -> dict[str, float]:
        """By zone, how long no probe was acknowledged at a stretch, at most, in whole seconds of the run."""
        return {zone: longest_outage(values) for zone, values in self.availability.items()}

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "begin": self.begin,
            "seconds": self.seconds,
            "outcomes": {client: dict(counts) for client, counts in self.outcomes.items()},
            "latencies": {name: found.summary() for name, found in sorted(self.latencies.items())},
            "availability": dict(sorted(self.availability.items())),
            "outage_seconds": self.outages,
            "rates": [{"due": second.due, "ok": second.ok} for second in self.rates],
            "errors": {client: dict(counts) for client, counts in self.errors.items()},
        }


def summarise(operations: Iterable[Operation], begin: float, seconds: float) -> Summary:
    """Return what the operations show.

    What was due before the begin prepared the run, and what was due after its end closed it: both are recorded for
    the checker, and are no load. Latencies are those of acknowledged operations, from when they were due; an
    operation without an answer shows in the outcomes.
    """
    count = max(1, math.ceil(seconds))
    rates = [Second() for _ in range(count)]
    probes: defaultdict[str, list[Second]] = defaultdict(lambda: [Second() for _ in range(count)])
    outcomes = {client: Counter[Outcome]() for client in ClientKind}
    latencies: defaultdict[str, Latencies] = defaultdict(Latencies)
    slowest: defaultdict[str, list[float | None]] = defaultdict(lambda: [None] * count)
    errors: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for operation in operations:
        second = math.floor(operation.intended - begin)
        if not 0 <= second < count:
            continue
        is_ok = operation.outcome is Outcome.OK
        outcomes[operation.client][operation.outcome] += 1
        if operation.error:
            errors[operation.client][operation.error] += 1
        counted = rates[second] if operation.client is ClientKind.USER else probes[operation.zone][second]
        counted.due += 1
        counted.ok += is_ok
        latency = operation.latency_seconds
        if is_ok and latency is not None:
            name = f"{operation.client} {operation.kind}"
            latencies[name].record(latency)
            latencies[f"{name} {operation.tenant}"].record(latency)
            if operation.client is ClientKind.USER:
                slowest[operation.kind][second] = max(latency, slowest[operation.kind][second] or 0.0)
    shares = {zone: [_share(second) for second in found] for zone, found in probes.items()}
    return Summary(begin, seconds, outcomes, dict(latencies), shares, rates, dict(slowest), dict(errors))


def longest_outage(availability: Sequence[float | None]) -> float:
    """Return how many seconds at a stretch not one probe was acknowledged; seconds without a probe say nothing."""
    return _longest(availability, lambda share: share == 0)


def _longest(values: Sequence[float | None], is_out: Callable[[float], bool]) -> float:
    longest = current = 0
    for value in values:
        if value is not None:
            current = current + 1 if is_out(value) else 0
        longest = max(longest, current)
    return float(longest)


def _share(second: Second) -> float | None:
    return second.ok / second.due if second.due else None
