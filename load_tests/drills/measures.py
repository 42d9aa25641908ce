"""What a drill's operations show of the fault: outages, failures, latencies before and after. Pure.

All times are seconds since the Unix epoch. A probe misses when it was not acknowledged: it waits a second at most, so
an outage that is shorter than what the system's own patience bridges does not show, as it should not.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from load_tests.drills.drill import RECOVERED_SECONDS
from load_tests.models import ClientKind, Operation, OperationKind, Outcome

JOIN_SECONDS = 2.0
"""Misses that are due less than this apart are of one outage: when a third of the shards is out, others answer in
between, and with four probes per second two seconds without a miss are then one in thirty."""
MISSED_SHARE_MIN = 0.01
"""Of the probes due in the second around a miss, above which it is of an outage. With fewer than a hundred probes per
second every miss is."""
WINDOW_SECONDS = 10.0
"""Of operations, whose latencies tell whether the system has recovered."""
RECOVERED_RATIO = 2.0
"""How much above before latencies may be once it has."""
BUDGET_SECONDS = 30 * 24 * 3600 * 0.0001
"""Of a month of 99.99 %: 259 s (Temporal's service level for its cloud with a replica)."""


@dataclass(frozen=True)
class Moments:
    """When what happened.

    Attributes:
        begin: When the first operation could be due.
        steady_from: When the warming up was over.
        injected: When bringing the fault about began.
        in_effect: When it had taken effect, as proven.
        healed: When healing it was done.
        end: When the last operation could be due.
    """

    begin: float
    steady_from: float
    injected: float
    in_effect: float
    healed: float
    end: float


@dataclass(frozen=True)
class Latency:
    """Start to close of what was due in one part of a drill."""

    operations: int
    p50_seconds: float | None
    p99_seconds: float | None
    longest_seconds: float | None


@dataclass(frozen=True)
class Measures:
    """What the operations show.

    Attributes:
        outage_seconds: The longest stretch in which probes missed, of the zones that the fault leaves alone.
        outage_began_seconds: When that stretch began, from the fault's effect; None: there was none.
        outage_hit_seconds: The same of the zones that it hits, for information; None: it hits none.
        probes: Due from the fault on, of the zones left alone.
        failed_probes: Those that missed.
        operations: Users', due in the whole drill.
        failed_operations: Those without success within their deadline, or not sent.
        before: Start to close in the steady state, without the warming up.
        during: From the injection until 60 s after the heal.
        after: From then on.
        p99_ratio: Of after to before; None where one of them has no operations.
        recovered_seconds: From the heal until latencies stay below twice those of before; None: they never do.
        longest_acknowledgement_seconds: Of users' operations, from when they were due.
        budget_share: Of a month's error budget at 99.99 %, by the probes that missed in all zones.
    """

    outage_seconds: float
    outage_began_seconds: float | None
    outage_hit_seconds: float | None
    probes: int
    failed_probes: int
    operations: int
    failed_operations: int
    before: Latency
    during: Latency
    after: Latency
    p99_ratio: float | None
    recovered_seconds: float | None
    longest_acknowledgement_seconds: float | None
    budget_share: float


def measure(operations: Iterable[Operation], moments: Moments, hit_zones: Collection[str]) -> Measures:
    """Return what the operations show."""
    due = [item for item in operations if moments.begin <= item.intended < moments.end]
    probes = [item for item in due if item.client is ClientKind.PROBE]
    users = [item for item in due if item.client is ClientKind.USER]
    # A probe that was due within the second before the fault may have been under way when it came.
    since = moments.injected - 1
    alone = [item for item in probes if item.intended >= since and item.zone not in hit_zones]
    hit = [item for item in probes if item.intended >= since and item.zone in hit_zones]
    began, outage = longest_outage(alone, moments.end)
    closes = _closes(users)
    recovered_from = moments.healed + RECOVERED_SECONDS
    before = latency_of(closes, moments.steady_from, moments.injected)
    after = latency_of(closes, recovered_from, moments.end)
    return Measures(
        outage_seconds=round(outage, 3),
        outage_began_seconds=None if began is None else round(began - moments.in_effect, 3),
        outage_hit_seconds=round(longest_outage(hit, moments.end)[1], 3) if hit else None,
        probes=len(alone),
        failed_probes=sum(map(is_missed, alone)),
        operations=len(users),
        failed_operations=sum(map(is_missed, users)),
        before=before,
        during=latency_of(closes, moments.injected, recovered_from),
        after=after,
        p99_ratio=_ratio(after.p99_seconds, before.p99_seconds),
        recovered_seconds=recovered_seconds(closes, before.p99_seconds, moments),
        longest_acknowledgement_seconds=_longest(
            item for item in users if item.kind is not OperationKind.RESULT
        ),
        budget_share=round(_missed_share(probes) * (moments.end - moments.begin) / BUDGET_SECONDS, 5),
    )


def is_missed(operation: Operation) -> bool:
    """Return whether an operation had no success."""
    return operation.outcome is not Outcome.OK


def longest_outage(probes: Iterable[Operation], end: float) -> tuple[float | None, float]:
    """Return when the longest outage began, and its length in seconds; None and 0 where there was none.

    An outage lasts from when its first missing probe was due to the answer of the next one that did not miss and after
    which, for `JOIN_SECONDS`, none does; one that goes on lasts to the end. To the answer, because a probe that was due
    in an outage's last second waits for its end.
    """
    ordered = sorted(probes, key=lambda item: item.intended)
    best: tuple[float | None, float] = None, 0.0
    for first, last in _stretches(ordered):
        following = ordered[last + 1] if last + 1 < len(ordered) else None
        until = end if following is None or following.ended is None else following.ended
        length = until - ordered[first].intended
        if length > best[1]:
            best = ordered[first].intended, length
    return best


def _stretches(ordered: Sequence[Operation]) -> list[tuple[int, int]]:
    """Return first and last missing probe of each outage, by position."""
    found: list[tuple[int, int]] = []
    times = [item.intended for item in ordered]
    for number, item in enumerate(ordered):
        if not is_missed(item):
            continue
        around = slice(bisect_left(times, times[number] - 0.5), bisect_left(times, times[number] + 0.5))
        if _missed_share(ordered[around]) <= MISSED_SHARE_MIN:
            continue
        if found and times[number] - times[found[-1][1]] < JOIN_SECONDS:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def latency_of(closes: Iterable[Operation], since: float, until: float) -> Latency:
    """Return the latencies of what was due from `since` and before `until` and has succeeded."""
    found = sorted(
        item.latency_seconds
        for item in closes
        if since <= item.intended < until and not is_missed(item) and item.latency_seconds is not None
    )
    return Latency(
        len(found), percentile(found, 50), percentile(found, 99), round(found[-1], 4) if found else None
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that so many percent are not above; None where there are none."""
    return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 4) if ordered else None


def recovered_seconds(
    closes: Sequence[Operation], before_p99: float | None, moments: Moments
) -> float | None:
    """Return how long after the heal every window of operations is below twice the p99 of before, to the second."""
    if before_p99 is None:
        return None
    last = math.floor(moments.end - moments.healed - WINDOW_SECONDS)
    slow = [
        second
        for second in range(last + 1)
        if _is_slow(closes, moments.healed + second, RECOVERED_RATIO * before_p99)
    ]
    if not slow:
        return 0.0
    return None if slow[-1] == last else float(slow[-1] + 1)


def _is_slow(closes: Sequence[Operation], since: float, most: float) -> bool:
    p99 = latency_of(closes, since, since + WINDOW_SECONDS).p99_seconds
    return p99 is not None and p99 > most


def by_tenant(operations: Iterable[Operation], moments: Moments) -> Mapping[str, dict[str, Latency]]:
    """Return start to close of each tenant: before, during and after."""
    found: defaultdict[str, list[Operation]] = defaultdict(list)
    for item in operations:
        if item.client is ClientKind.USER and moments.begin <= item.intended < moments.end:
            found[item.tenant].append(item)
    recovered = moments.healed + RECOVERED_SECONDS
    return {
        tenant: {
            "before": latency_of(_closes(users), moments.steady_from, moments.injected),
            "during": latency_of(_closes(users), moments.injected, recovered),
            "after": latency_of(_closes(users), recovered, moments.end),
        }
        for tenant, users in sorted(found.items())
    }


def _closes(users: Sequence[Operation]) -> list[Operation]:
    """Return what is timed to its end; of a scenario that waits for no workflow, everything it asked."""
    results = [item for item in users if item.kind is OperationKind.RESULT]
    return results or list(users)


def _ratio(after: float | None, before: float | None) -> float | None:
    return round(after / before, 2) if after is not None and before else None


def _longest(operations: Iterable[Operation]) -> float | None:
    found = [item.latency_seconds for item in operations if item.latency_seconds is not None]
    return round(max(found), 3) if found else None


def _missed_share(probes: Sequence[Operation]) -> float:
    return sum(map(is_missed, probes)) / len(probes) if probes else 0.0
