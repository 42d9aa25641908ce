"""Every fault by its name, with the parameters it takes: what drills, which are data, are read against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from load_tests.errors import LoadTestError
from load_tests.faults.api_stopped import ApiStopped
from load_tests.faults.database_lies import DatabaseLies
from load_tests.faults.database_switchover import DatabaseSwitchover
from load_tests.faults.disk_full import DiskFull
from load_tests.faults.fault import Fault
from load_tests.faults.journal import Journal
from load_tests.faults.node_frozen import NodeFrozen
from load_tests.faults.one_way_partition import OneWayPartition
from load_tests.faults.pod_killed import How, PodKilled
from load_tests.faults.pod_silent import PodSilent
from load_tests.faults.rolling_restart import RollingRestart
from load_tests.faults.target import Target
from load_tests.faults.zone_powered_off import ZonePoweredOff
from load_tests.faults.zone_silent import ZoneSilent

Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        make: Makes one of a target, a journal and parameters.
        required: Parameters that it cannot do without.
        optional: Parameters that it also takes.
    """

    make: Callable[[Target, Journal, Parameters], Fault]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def _pod_killed(target: Target, journal: Journal, given: Parameters) -> Fault:
    how = given.get("how", How.HARD)
    if how not in set(How):
        raise LoadTestError(f"how: {how!r} is no way to end a pod; ways are {', '.join(How)}")
    return PodKilled(target, journal, component=given["component"], how=How(how), zone=given.get("zone"))


def _database_lies(target: Target, journal: Journal, given: Parameters) -> Fault:
    try:
        rate = float(given.get("rate", "0.02"))
    except ValueError:
        raise LoadTestError(f"rate: {given['rate']!r} is not a number, such as 0.02") from None
    return DatabaseLies(target, journal, rate=rate)


def _rolling_restart(target: Target, journal: Journal, given: Parameters) -> Fault:
    order = given.get("order", "in turn")
    if order not in ("in turn", "together"):
        raise LoadTestError(f"order: {order!r} is none; workloads restart 'in turn' or 'together'")
    return RollingRestart(target, journal, is_together=order == "together")


KINDS: Mapping[str, Kind] = {
    PodKilled.name: Kind(_pod_killed, ("component",), ("how", "zone")),
    PodSilent.name: Kind(
        lambda t, j, given: PodSilent(t, j, component=given["component"], zone=given.get("zone")), ("component",), ("zone",)
    ),
    ZonePoweredOff.name: Kind(lambda t, j, given: ZonePoweredOff(t, j, zone=given["zone"]), ("zone",)),
    ZoneSilent.name: Kind(lambda t, j, given: ZoneSilent(t, j, zone=given["zone"]), ("zone",)),
    OneWayPartition.name: Kind(
        lambda t, j, given: OneWayPartition(t, j, zone=given["zone"], toward=given["toward"]), ("zone", "toward")
    ),
    NodeFrozen.name: Kind(lambda t, j, given: NodeFrozen(t, j, zone=given["zone"]), ("zone",)),
    ApiStopped.name: Kind(lambda t, j, _: ApiStopped(t, j)),
    DatabaseSwitchover.name: Kind(
        lambda t, j, given: DatabaseSwitchover(t, j, to=given.get("to")), optional=("to",)
    ),
    RollingRestart.name: Kind(_rolling_restart, optional=("order",)),
    DatabaseLies.name: Kind(_database_lies, optional=("rate",)),
    DiskFull.name: Kind(lambda t, j, _: DiskFull(t, j)),
}  # fmt: skip


def check(name: str, given: Parameters) -> Kind:
    """Return the kind of fault of that name, having checked that it takes the parameters. Touches nothing.

    Raises:
        LoadTestError: There is no such fault, or a parameter is missing or unknown.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise LoadTestError(f"fault: {name!r} is none; faults are {', '.join(sorted(KINDS))}")
    known = {*kind.required, *kind.optional}
    if missing := [key for key in kind.required if key not in given]:
        raise LoadTestError(f"fault {name}: it lacks {', '.join(missing)}")
    if unknown := sorted(given.keys() - known):
        takes = ", ".join(sorted(known)) or "none"
        raise LoadTestError(f"fault {name}: {', '.join(unknown)} is no parameter of it; it takes {takes}")
    return kind


def make(name: str, target: Target, journal: Journal, given: Parameters) -> Fault:
    """Return a fault by its name and parameters.

    Raises:
        LoadTestError: As `check`, or a parameter has a value that it cannot have.
    """
    return check(name, given).make(target, journal, given)
