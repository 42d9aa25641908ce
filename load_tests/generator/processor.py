"""How idle this machine's processors are, second by second, as the kernel counts it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from load_tests.clock import Clock

_STAT = Path("/proc/stat")
_IDLE = (3, 4)
"""Fields `idle` and `iowait` of the first line (proc_stat(5)): nothing to do, or only waiting for a disk."""
_PARTS = 8
"""user, nice, system, idle, iowait, irq, softirq, steal; guest times are counted within user already."""


@dataclass(frozen=True)
class Idleness:
    """One sample."""

    at: float
    """Its end, in seconds since the Unix epoch."""
    share: float
    """Of the time since the sample before, 0 to 1."""


async def watch_processors(clock: Clock, samples: list[Idleness], every_seconds: float = 1.0) -> None:
    """Append a sample every second until cancelled."""
    before = parse_stat(_STAT.read_text(encoding="ascii"))  # noqa: ASYNC240 - memory, not a disk
    while True:
        await asyncio.sleep(every_seconds)
        now = parse_stat(_STAT.read_text(encoding="ascii"))  # noqa: ASYNC240 - as above
        if total := now[1] - before[1]:
            samples.append(Idleness(clock.now(), (now[0] - before[0]) / total))
        before = now


def parse_stat(text: str) -> tuple[int, int]:
    """Return idle and total time of all processors, in ticks."""
    values = [int(value) for value in text.partition("\n")[0].split()[1 : 1 + _PARTS]]
    return sum(values[field] for field in _IDLE), sum(values)


def mean_idle(samples: Sequence[Idleness], begin: float, end: float) -> float | None:
    """Return the mean share of idle time between two times; None when there is no sample."""
    found = [sample.share for sample in samples if begin < sample.at <= end]
    return sum(found) / len(found) if found else None
