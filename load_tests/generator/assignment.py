"""What one generator process is told, and how a plan is split among them. Pure but for reading and writing a file."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from load_tests.arrivals import Arrival, Constant
from load_tests.scenarios.session import Due
from load_tests.stack import Target


@dataclass(frozen=True)
class Assignment:
    """One process's part of a run.

    Attributes:
        cap: Operations that may be under way at a time in this process; what is due beyond is not sent, and counts
            as a failure of the run.
    """

    target: Target
    run: str
    scenario: str
    options: Mapping[str, float]
    seed: int
    seconds: float
    result_seconds: float
    process: int
    processes: int
    cap: int
    epoch: float
    """Of `Clock`."""
    due: tuple[Due, ...] = field(repr=False)

    def write(self, path: Path) -> None:
        """Write it for the process to read."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["target"] = self.target.to_json()
        values["options"] = dict(self.options)
        values["due"] = [(item.number, item.offset, item.tenant, item.zone) for item in self.due]
        path.write_text(json.dumps(values), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Assignment:
        """Read what `write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        values["target"] = Target.from_json(values["target"])
        values["due"] = tuple(Due(*item) for item in values["due"])
        return cls(**values)


def all_due(arrivals: Sequence[Arrival], probes: Sequence[Due]) -> list[Due]:
    """Return users' operations and probes in the order in which they are due, numbered anew from 1."""
    together = [Due(0, arrival.offset, arrival.tenant) for arrival in arrivals]
    together += probes
    together.sort(key=lambda item: item.offset)
    return [Due(number, item.offset, item.tenant, item.zone) for number, item in enumerate(together, start=1)]


def plan_probes(
    zones: Sequence[str], tenants: Sequence[str], rate: float, seconds: float, seed: int
) -> list[Due]:
    """Return the probes of every zone, evenly spaced, the tenants (and so their namespaces) in turn.

    Args:
        zones: Whose load balancers are asked.
        tenants: In whose name.
        rate: Probes per second and zone; 0: none.
        seconds: How long the run is.
        seed: Spreads the zones' first probes.
    """
    if not rate:
        return []
    return [
        Due(0, offset, tenants[number % len(tenants)], zone)
        for zone in zones
        for number, offset in enumerate(
            Constant().offsets(rate, seconds, random.Random(f"{seed} probe {zone}"))  # noqa: S311 - repeatable
        )
    ]


def split(due: Sequence[Due], processes: int) -> list[tuple[Due, ...]]:
    """Deal a plan out to the processes in turn: each gets the same shape at its part of the rate."""
    return [tuple(due[process::processes]) for process in range(processes)]
