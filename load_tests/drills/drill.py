"""What a drill is, as its file says. Plain values; `loading` reads and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RECOVERED_SECONDS = 60.0
"""After the fault is healed, latencies have so long to be what they were before."""


@dataclass(frozen=True)
class Load:
    """What is asked of the system meanwhile."""

    rate: float = 3.0
    """Users' operations per second of all tenants, above 0. Default 3: a deployment is some ten writes to the
    database and six activities, so the lab's two cores keep the 30 % of idle time that a run needs."""
    shape: str = "poisson"
    """As `arrivals.parse_shape` reads it."""
    options: tuple[str, ...] = ()
    """The scenario's own numbers, as `KEY=NUMBER`."""
    probe_rate: float = 3.0
    """Probes per second and zone, above 0. Default 3: two zones left alone show an outage to a sixth of a second."""
    result_seconds: float = 120.0
    """How long workflows may take to end after the last operation, above 0."""


@dataclass(frozen=True)
class Phases:
    """How long what lasts, in seconds. Operations are sent during all of it, at times fixed beforehand."""

    steady_seconds: float = 60.0
    """Before the fault, at least 5; its first part warms up (`crew.warm_up_seconds`). Default 60: some
    hundred operations to hold those after the fault against."""
    fault_seconds: float = 20.0
    """From the injection until it is healed, above 0; one that ends by itself (rolling restart) may end sooner or
    later. Default 20: well above the outage that a killed pod may cause."""
    heal_seconds: float = 0.0
    """What healing itself may take of the time, 0 or more. Default 0: a killed pod heals itself meanwhile."""
    recovery_seconds: float = 100.0
    """After it is healed, above 60. Default 100: latencies are held against those of before from 60 s on, which
    leaves 40 s, some hundred operations."""

    @property
    def total_seconds(self) -> float:
        """How long operations are sent."""
        return self.steady_seconds + self.fault_seconds + self.heal_seconds + self.recovery_seconds


@dataclass(frozen=True)
class FaultSpec:
    """Which fault, of `load_tests.faults.catalogue`."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    """A zone may be said as `places` reads it, for example `zone of postgres-primary`."""


@dataclass(frozen=True)
class Limits:
    """What a drill is held against, at most; None: nothing. Gates decide the verdict, goals are a column."""

    outage_seconds: float | None = None
    """The longest stretch in which the probes missed of zones that the fault leaves alone."""
    failed_operations: float | None = None
    """Users' operations without success within their deadline of 60 s."""
    failed_probes: float | None = None
    """Probes of the zones left alone without an answer within a second, over the whole run."""
    violations: float | None = None
    """What the checker found: lost, duplicated, stuck, early, gone back and so on."""
    p99_ratio: float | None = None
    """99th percentile from start to close from 60 s after the fault on, against that of the steady state."""


GATES = Limits(failed_operations=0, violations=0, p99_ratio=2.0)
"""Of every drill, unless its file or the stack's says otherwise."""
GOALS = Limits(failed_operations=0, violations=0, p99_ratio=1.2)


@dataclass(frozen=True)
class Drill:
    """One drill."""

    name: str
    summary: str
    """What is shown by it, in one line."""
    scenario: str
    """Of `load_tests.scenarios.catalog`."""
    fault: FaultSpec
    load: Load = field(default_factory=Load)
    phases: Phases = field(default_factory=Phases)
    gates: Limits = GATES
    goals: Limits = GOALS
    is_release: bool = False
    """Whether it belongs to the release set (`make drill`)."""
