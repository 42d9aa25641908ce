"""The records that the watcher's parts hand to each other. No behaviour but what follows from the fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Witness:
    """Something in a zone whose answer shows that the zone lives."""

    kind: str
    """What it is, for example `database`. Witnesses of one kind may all be gone for a reason of their own."""
    zone: str
    address: str
    """Address of the pod itself: a Service's would lead elsewhere."""
    port: int


@dataclass(frozen=True)
class Instance:
    """One instance of the database, as its Service's endpoints tell it."""

    name: str
    """Name of the pod."""
    zone: str
    node: str
    is_ready: bool
    """As its kubelet last said: of a dead zone, not true any more."""


@dataclass(frozen=True)
class Sites:
    """What stands where, from the endpoints of a few Services."""

    witnesses: tuple[Witness, ...] = ()
    peers: tuple[Witness, ...] = ()
    """The other watchers, which are witnesses too."""
    instances: tuple[Instance, ...] = ()
    nodes: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Nodes by zone, as far as they carry any of the above."""
    own_zone: str | None = None
    """Zone of the asking watcher; None until its own endpoint is known."""


@dataclass(frozen=True)
class Silence:
    """How long one watcher has heard nothing of a zone."""

    seconds: float = 0.0
    """0: something answered in the last round."""
    kinds: frozenset[str] = frozenset()
    """Kinds of witness that answered shortly before the silence, or answer now. Empty: there is nobody to ask."""


@dataclass(frozen=True)
class Vote:
    """What the watcher of one zone has heard of the others."""

    zone: str
    """Zone of the voter."""
    silences: Mapping[str, Silence]
    """By zone, its own left out."""
    age_seconds: float = 0.0
    """Since the round that it is of."""


@dataclass(frozen=True)
class Database:
    """The PostgreSQL cluster, as its custom resource tells it."""

    primary: str
    """Name of the pod that is the primary; empty while there is none."""
    target: str
    """Name of the pod that is to be; another one, or the operator's marker, while it changes."""
    durability: str | None
    """`required`, `preferred`, or None where commits do not wait for standbys."""
    acknowledging: int
    """Standbys that must have a commit before it is acknowledged (W)."""
    standbys: int
    """Standbys that may be the ones (N)."""
    is_managed: bool
    """False while somebody has told the operator to leave it alone, by hibernation, fencing or a paused loop."""
    seconds_since_promotion: float | None
    """By the API server's clock; None where nothing was ever promoted."""


@dataclass(frozen=True)
class Pod:
    """The primary's pod."""

    name: str
    uid: str
    node: str
    is_running: bool
    """Whether its kubelet once said that it runs; one that was only just made anew does not."""
