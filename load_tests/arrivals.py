"""When operations are due: a plan that is fixed before the run, so that no stall of the system can thin it out.

Pure. A shape says how the rate goes over time; the mix of tenants says whose each arrival is; the seed makes the
plan repeatable. The plan is all there is: the generator sends what is due when it is due, whatever became of
what was sent before.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Protocol

from load_tests.errors import LoadTestError

ARRIVALS_MAX = 5_000_000
"""Of one plan: some 500 MB of memory. More is several runs."""
_STEP_SECONDS = 0.01
"""How finely a shape's intensity is followed."""


@dataclass(frozen=True, order=True)
class Arrival:
    """One operation that is due."""

    offset: float
    """Seconds from the run's begin."""
    tenant: str


class Shape(Protocol):
    """How arrivals are spread over time."""

    def offsets(self, rate: float, seconds: float, draw: random.Random) -> list[float]:
        """Return when arrivals are due, ascending, from 0 up to but without `seconds`.

        Args:
            rate: Arrivals per second that the shape refers to.
            seconds: How long the run is.
            draw: The only source of chance.
        """
        ...


class _Intensity:
    """A shape that multiplies the rate by a function of time; arrivals are as evenly spaced as that allows."""

    def intensity(self, share: float, at: float) -> float:
        """Return by what the rate is multiplied at a time.

        Args:
            share: How much of the run has gone by, 0 to 1.
            at: Seconds from the run's begin.
        """
        raise NotImplementedError

    def offsets(self, rate: float, seconds: float, draw: random.Random) -> list[float]:
        """See `Shape.offsets`."""
        steps = max(1, math.ceil(seconds / _STEP_SECONDS))
        width = seconds / steps
        middles = ((step + 0.5) * width for step in range(steps))
        grown = list(
            accumulate((self.intensity(at / seconds, at) * rate * width for at in middles), initial=0)
        )
        # Where in its interval the first lies is drawn: else all tenants' first arrivals were due at once.
        due = draw.random()
        found: list[float] = []
        for step, (low, high) in enumerate(pairwise(grown)):
            while due < high:
                found.append(min((step + (due - low) / (high - low)) * width, math.nextafter(seconds, 0)))
                due += 1
        return found


@dataclass(frozen=True)
class Constant(_Intensity):
    """The same rate all the time, evenly spaced."""

    def intensity(self, share: float, at: float) -> float:  # noqa: ARG002 - the same at any time
        """See base class."""
        return 1


@dataclass(frozen=True)
class Poisson:
    """The same rate all the time, each arrival independent of the others, as from many people."""

    def offsets(self, rate: float, seconds: float, draw: random.Random) -> list[float]:
        """See `Shape.offsets`."""
        found: list[float] = []
        at = draw.expovariate(rate)
        while at < seconds:
            found.append(at)
            at += draw.expovariate(rate)
        return found


@dataclass(frozen=True)
class Ramp(_Intensity):
    """The rate changes evenly over the whole run, to find where a system gives way."""

    begin: float = 0.1
    """Multiple of the rate at the begin, 0 or more."""
    end: float = 1.0
    """Multiple of the rate at the end, 0 or more."""

    def intensity(self, share: float, at: float) -> float:  # noqa: ARG002 - by share only
        """See base class."""
        return self.begin + (self.end - self.begin) * share


@dataclass(frozen=True)
class Burst(_Intensity):
    """The rate is a multiple of itself for a short time, again and again."""

    factor: float = 20.0
    """By what the rate is multiplied, 0 or more."""
    every: float = 60.0
    """Seconds from one burst's begin to the next one's, above 0; the first begins after `every - lasting`."""
    lasting: float = 5.0
    """Seconds of each burst, above 0."""

    def intensity(self, share: float, at: float) -> float:  # noqa: ARG002 - by time only
        """See base class."""
        return self.factor if at % self.every >= self.every - self.lasting else 1


@dataclass(frozen=True)
class EbbAndFlow(_Intensity):
    """The rate swings like a tide, so that backlogs build up and drain; over whole periods its mean is the rate."""

    period: float = 60.0
    """Seconds from one ebb to the next, above 0."""
    depth: float = 1.0
    """How far it swings to each side, 0 to 1: at 1 from nothing to twice the rate."""

    def intensity(self, share: float, at: float) -> float:  # noqa: ARG002 - by time only
        """See base class."""
        return 1 - self.depth * math.cos(2 * math.pi * at / self.period)


@dataclass(frozen=True)
class Trace:
    """Arrivals as they were recorded: a file with one offset in seconds per line. The rate is the file's own."""

    file: str
    """Path of the file."""

    def offsets(self, rate: float, seconds: float, draw: random.Random) -> list[float]:  # noqa: ARG002 - recorded
        """See `Shape.offsets`; what lies beyond the run's end is left out.

        Raises:
            LoadTestError: When the file cannot be read or has a line that is no offset.
        """
        try:
            lines = Path(self.file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LoadTestError(f"--shape trace: file {self.file!r} cannot be read: {error}") from error
        return sorted(at for at in self._parsed(lines) if at < seconds)

    def _parsed(self, lines: Sequence[str]) -> Iterator[float]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                at = float(line)
            except ValueError:
                at = math.nan
            if not 0 <= at < math.inf:
                raise LoadTestError(
                    f"--shape trace: {self.file}:{number}: {line.strip()!r:.40} must be a number of seconds, 0 or more"
                )
            yield at


SHAPES: Mapping[str, type[Shape]] = {
    "constant": Constant,
    "poisson": Poisson,
    "ramp": Ramp,
    "burst": Burst,
    "ebb-and-flow": EbbAndFlow,
    "trace": Trace,
}
"""By the name that `--shape` takes."""

_BOUNDS: Mapping[str, tuple[float, float, str]] = {
    "begin": (0, math.inf, "0 or more"),
    "end": (0, math.inf, "0 or more"),
    "factor": (0, math.inf, "0 or more"),
    "every": (math.nextafter(0, 1), math.inf, "above 0"),
    "lasting": (math.nextafter(0, 1), math.inf, "above 0"),
    "period": (math.nextafter(0, 1), math.inf, "above 0"),
    "depth": (0, 1, "from 0 to 1"),
}


def parse_shape(text: str) -> Shape:
    """Return the shape that `NAME` or `NAME:key=value,key=value` names.

    Raises:
        LoadTestError: When there is none of that name, or a key or value it does not take.
    """
    name, _, rest = text.partition(":")
    shape = SHAPES.get(name)
    if shape is None:
        raise LoadTestError(f"--shape: {name!r} must be one of {', '.join(SHAPES)}")
    known = {field.name: field for field in fields(shape)}  # pyright: ignore[reportArgumentType] - all are dataclasses
    values: dict[str, Any] = {}
    for pair in filter(None, rest.split(",")):
        key, separator, value = pair.partition("=")
        if key not in known or not separator:
            takes = ", ".join(f"{key}=..." for key in known) or "nothing"
            raise LoadTestError(f"--shape {name}: {pair!r} is not known; it takes {takes}")
        values[key] = value if key == "file" else _number(f"--shape {name}: {key}", value, *_BOUNDS[key])
    if missing := [key for key, field in known.items() if field.default is MISSING and key not in values]:
        raise LoadTestError(f"--shape {name}: {missing[0]} is missing; write {name}:{missing[0]}=...")
    made = shape(**values)
    if isinstance(made, Burst) and made.lasting > made.every:
        raise LoadTestError(
            f"--shape {name}: lasting {made.lasting:g} must be at most every, which is {made.every:g}"
        )
    return made


def parse_mix(text: str, known: Sequence[str]) -> dict[str, float]:
    """Return each tenant's share of the arrivals, together 1, from `TENANT=WEIGHT,TENANT=WEIGHT`.

    Args:
        text: What the command line says; a tenant without a weight has 1; empty: all known tenants alike.
        known: Tenants of the stack.

    Raises:
        LoadTestError: When a tenant is not known or a weight cannot be used.
    """
    weights: dict[str, float] = {}
    for pair in filter(None, text.split(",")) if text else known:
        name, _, value = pair.partition("=")
        if name not in known:
            raise LoadTestError(f"--tenants: {name!r} must be one of {', '.join(known)}")
        weights[name] = _number(f"--tenants: {name}", value or "1", 0, math.inf, "0 or more")
    total = sum(weights.values())
    if not total > 0:
        raise LoadTestError(f"--tenants: {text!r} must leave somebody a share above 0")
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def plan(
    shape: Shape, shares: Mapping[str, float], rate: float, seconds: float, seed: int
) -> tuple[Arrival, ...]:
    """Return every arrival of a run, ascending.

    Args:
        shape: How they are spread over time.
        shares: Each tenant's share of the rate, together 1.
        rate: Of all tenants together, per second, above 0.
        seconds: How long the run is, above 0.
        seed: The same seed gives the same plan. Each tenant has chance of its own by it, so that a tenant more
            or less does not move the others' arrivals.

    Raises:
        LoadTestError: When rate or duration cannot be used, the trace cannot be read, or nothing is due at all.
    """
    _check(rate, seconds)
    if isinstance(shape, Trace):
        draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
        due = shape.offsets(rate, seconds, draw)
        names, bounds = list(shares), list(accumulate(shares.values()))
        arrivals = [Arrival(at, names[min(bisect_left(bounds, draw.random()), len(names) - 1)]) for at in due]
    else:
        arrivals = [
            Arrival(at, tenant)
            for tenant, share in shares.items()
            for at in shape.offsets(rate * share, seconds, random.Random(f"{seed} {tenant}"))  # noqa: S311 - as above
        ]
    if not arrivals:
        raise LoadTestError(
            f"--rate: {rate:g} per second for {seconds:g} s leaves nothing to send; make either larger"
        )
    return tuple(sorted(arrivals))


def _check(rate: float, seconds: float) -> None:
    if not 0 < rate < math.inf:
        raise LoadTestError(f"--rate: {rate:g} must be above 0")
    if not 0 < seconds < math.inf:
        raise LoadTestError(f"--duration: {seconds:g} must be above 0 seconds")
    if rate * seconds > ARRIVALS_MAX:
        raise LoadTestError(
            f"--rate: {rate:g} per second for {seconds:g} s must be at most {ARRIVALS_MAX} arrivals"
        )


def _number(where: str, value: str, least: float, most: float, rule: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (least <= number <= most) or math.isinf(number):
        raise LoadTestError(f"{where}: {value!r} must be a number {rule}")
    return number
