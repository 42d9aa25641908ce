"""What a run is asked to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from load_tests.arrivals import Arrival, Shape, parse_mix, parse_shape, plan
from load_tests.errors import LoadTestError
from load_tests.generator.assignment import all_due, plan_probes
from load_tests.scenarios.catalog import find
from load_tests.scenarios.scenario import parse_options
from load_tests.scenarios.session import Due
from load_tests.stack import Target

PROCESSES_MAX = 64
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class RunSettings:
    """What a run is asked to do.

    Raises:
        LoadTestError: On construction, when a value cannot be used.
    """

    scenario: str
    stack: str
    rate: float
    """Operations per second of all tenants together, above 0."""
    seconds: float
    """How long operations are sent, above 0."""
    shape: str = "poisson"
    """As `arrivals.parse_shape` reads it. Default `poisson`: what many people who know nothing of each other do."""
    mix: str = ""
    """As `arrivals.parse_mix` reads it. Default: all tenants alike."""
    seed: int = 1
    """Of everything that is drawn. Default 1: two runs are comparable unless one asks otherwise."""
    processes: int = 1
    """Generator processes, 1 to 64. Default 1: it keeps some hundred operations per second to the millisecond."""
    cap: int = 2000
    """Operations under way at a time in each process, workflows waited for counted; above 0. Default 2000: a minute
    of standstill at 30 per second."""
    probe_rate: float = 2.0
    """Probes per second and zone, 0 or more. Default 2: with three zones an outage shows to a sixth of a second,
    at the cost of six small workflows per second."""
    result_seconds: float = 120.0
    """How long workflows may take to end after the last operation, above 0. Default 120."""
    options: tuple[str, ...] = field(default=())
    """The scenario's own numbers, as `KEY=NUMBER`."""

    def __post_init__(self) -> None:
        parse_options(self.scenario, find(self.scenario).defaults, self.options)
        parse_shape(self.shape)
        rules = (
            ("--rate", self.rate, self.rate > 0, "above 0"),
            ("--duration", self.seconds, self.seconds > 0, "above 0"),
            (
                "--processes",
                self.processes,
                1 <= self.processes <= PROCESSES_MAX,
                f"from 1 to {PROCESSES_MAX}",
            ),
            ("--cap", self.cap, self.cap >= 1, "at least 1"),
            ("--probe-rate", self.probe_rate, self.probe_rate >= 0, "0 or more"),
            ("--result-seconds", self.result_seconds, self.result_seconds > 0, "above 0"),
        )
        for key, value, is_good, rule in rules:
            if not is_good:
                raise LoadTestError(f"{key}: {value:g} must be {rule}")

    @property
    def shape_of_arrivals(self) -> Shape:
        """The shape that the settings name."""
        return parse_shape(self.shape)

    @property
    def numbers(self) -> Mapping[str, float]:
        """The scenario's own numbers, all of them."""
        return parse_options(self.scenario, find(self.scenario).defaults, self.options)


def plan_of(settings: RunSettings, target: Target) -> list[Due]:
    """Return everything that is due in a run, probes included.

    Raises:
        LoadTestError: When a tenant is not the stack's, or nothing is due.
    """
    shares = parse_mix(settings.mix, [tenant.name for tenant in target.tenants.tenants])
    arrivals: tuple[Arrival, ...] = plan(
        settings.shape_of_arrivals, shares, settings.rate, settings.seconds, settings.seed
    )
    probes = plan_probes(
        list(target.zone_addresses), list(shares), settings.probe_rate, settings.seconds, settings.seed
    )
    return all_due(arrivals, probes)


def parse_duration(text: str) -> float:
    """Return seconds from `90`, `90s`, `10m` or `1h`.

    Raises:
        LoadTestError: For anything else, and for 0.
    """
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2] or ""] if found else 0.0
    if not seconds:
        raise LoadTestError(f"--duration: {text!r} must be a time above 0, for example 90s, 10m or 1h")
    return seconds
