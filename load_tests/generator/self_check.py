"""Whether the measurement itself was good: a run that its generator could not keep up with shows nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from load_tests.generator.processor import Idleness, mean_idle
from load_tests.histograms import Latencies

SCHEDULE_ERROR_SECONDS_MAX = 0.010
"""At the 99th percentile: well below any latency that is measured."""
RATE_ERROR_MAX = 0.01
IDLE_MIN = 0.30
"""Of the machine's processor time in the steady state. With less, latencies are those of waiting for a processor."""


@dataclass(frozen=True)
class Quality:
    """How good a measurement was.

    Attributes:
        planned: Operations in the plan, probes counted.
        dispatched: Of those, how many had their time come and were sent, or counted as not sent.
        schedule_p99_seconds: 99th percentile of how late operations were sent; None: nothing was sent.
        idle: Mean share of idle processor time in the steady state; None: not known.
        generator_processors: Processors that the generator itself used, on average.
        problems: Errors of the generator's own.
    """

    planned: int
    dispatched: int
    schedule_p99_seconds: float | None
    idle: float | None
    generator_processors: float
    problems: tuple[str, ...] = ()

    def complaints(self) -> list[str]:
        """Return why the measurement shows nothing; empty: it is good."""
        found = [f"the generator itself failed: {problem}" for problem in self.problems]
        if self.schedule_p99_seconds is None:
            found.append("nothing was sent")
        elif self.schedule_p99_seconds > SCHEDULE_ERROR_SECONDS_MAX:
            found.append(
                f"operations were sent {self.schedule_p99_seconds * 1000:.1f} ms late (p99),"
                f" at most {SCHEDULE_ERROR_SECONDS_MAX * 1000:g} ms are allowed"
            )
        if abs(self.dispatched - self.planned) > RATE_ERROR_MAX * self.planned:
            found.append(
                f"{self.dispatched} of {self.planned} operations were offered, at most {RATE_ERROR_MAX:.0%} off is allowed"
            )
        if self.idle is not None and self.idle < IDLE_MIN:
            found.append(f"the machine was {self.idle:.0%} idle, at least {IDLE_MIN:.0%} are needed")
        return found


def quality_of(
    planned: int,
    dispatched: int,
    schedule: Latencies,
    samples: Sequence[Idleness],
    steady: tuple[float, float],
    generator_processors: float,
    problems: Sequence[str] = (),
) -> Quality:
    """Put together how good a measurement was; `steady` is begin and end of the steady state."""
    p99 = schedule.percentile(99)
    idle = mean_idle(samples, *steady)
    return Quality(planned, dispatched, p99, idle, generator_processors, tuple(problems))
