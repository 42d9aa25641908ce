"""Operations made up for pure cases, and the dev server as a site whose process really stands still."""

import os
import signal
import time
from pathlib import Path

from load_tests.drills.drill import Drill, FaultSpec, Limits, Load, Phases
from load_tests.drills.measures import Moments
from load_tests.drills.places import Places
from load_tests.errors import LoadTestError
from load_tests.faults.fault import Effect, Fault, until
from load_tests.faults.target import Target
from load_tests.models import ClientKind, Operation, OperationKind, Outcome

MOMENTS = Moments(begin=1000, steady_from=1010, injected=1060, in_effect=1062, healed=1100, end=1200)
STANDSTILL = "standstill"


def probe(at, zone="zone-a", *, ok=True, number=0):
    return operation(at, kind=OperationKind.START, client=ClientKind.PROBE, zone=zone, ok=ok, number=number)


def operation(
    at,
    *,
    kind=OperationKind.RESULT,
    client=ClientKind.USER,
    zone="",
    ok=True,
    latency=0.1,
    tenant="chogar",
    number=0,
):
    outcome = Outcome.OK if ok else Outcome.UNKNOWN
    return Operation(
        number, kind, client, tenant, zone, "production", f"w{at}", "k", at, at, at + latency, outcome
    )


def probes(since, until_, zone="zone-a", every=0.5, missed=()):
    """Evenly spaced probes; those due within one of the stretches `missed` miss."""
    count = round((until_ - since) / every)
    times = [since + every * n for n in range(count)]
    return [probe(at, zone, ok=not any(a <= at < b for a, b in missed)) for at in times]


class Allowed(Target):
    """Asks no cluster: the tests' site has none."""

    def check_permission(self):
        return


class Standstill(Fault):
    """The dev server's process is stopped; undone by letting it go on. Of the tests alone."""

    name = STANDSTILL

    def __init__(self, journal, process, *, is_real=True):
        super().__init__(Allowed("none", {}, []), journal)
        self._process, self._is_real = process, is_real

    def describe(self):
        return "server stands still"

    def _prepare(self):
        return [["kill", "-CONT", str(self._process)]]

    async def _inject(self):
        if self._is_real:
            os.kill(self._process, signal.SIGSTOP)
        at = time.time()
        await until(self._is_stopped, "the server stopped", 0.5)
        return Effect(at, f"process {self._process} is in state T")

    def _is_stopped(self):
        return Path(f"/proc/{self._process}/stat").read_text().rpartition(") ")[2][0] == "T"


class DevSite:
    """The dev server as a site."""

    def __init__(self, process, *, is_real=True, unready=(), is_allowed=True):
        self._process, self._is_real, self._is_allowed = process, is_real, is_allowed
        self.unready = list(unready)

    def check_permission(self):
        if not self._is_allowed:
            raise LoadTestError("no faults here")

    def places(self, components):
        return Places([""], {name: [""] for name in components})

    def make(self, name, journal, parameters):
        assert (name, dict(parameters)) == (STANDSTILL, {})
        return Standstill(journal, self._process, is_real=self._is_real)

    def not_ready(self):
        return self.unready


def drill(**changes):
    """A drill of a few seconds: too short for a verdict on latencies, so it has no gate on them."""
    values = {
        "name": "standstill",
        "summary": "The server stands still.",
        "scenario": "timers",
        "fault": FaultSpec(STANDSTILL),
        "load": Load(
            rate=6, options=("least_seconds=0.1", "most_seconds=0.3"), probe_rate=8, result_seconds=20
        ),
        "phases": Phases(steady_seconds=2.2, fault_seconds=1.5, recovery_seconds=1.2),
        "gates": Limits(outage_seconds=8, failed_operations=0, violations=0),
        "goals": Limits(outage_seconds=0.5),
    }
    return Drill(**{**values, **changes})
