"""What to do about a dead zone: observations in, an action out, or the reason for none. Pure; every rule is here.

Acting twice is harmless, since the deletion names the pod's UID, so every watcher may act and no leader is elected:
an election would cost seconds just when the leader may be in the dark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from zone_watcher.model import Database, Instance, Pod, Silence, Vote

VOTE_MAX_AGE_SECONDS = 4.0
"""An older vote is none: its voter may have fallen silent itself. A vote is up to a round and a half old when it is
asked for, and as much again when the next one comes."""
KINDS_MIN = 2
"""Kinds of witness that must be lost together: one alone may have a reason of its own, such as a rolling update."""


class Reason(StrEnum):
    """Why nothing is done, in the order in which it is found."""

    ALL_ALIVE = "all_alive"
    """Every zone was heard of lately."""
    SEEN_ALIVE = "seen_alive"
    """Some zone still hears of it."""
    NO_MAJORITY = "no_majority"
    """Fewer than a majority of zones call any zone dead: this one may be what is cut off."""
    NODE_ALIVE = "node_alive"
    """The API server has heard of one of its nodes since the silence began."""
    NODE_UNKNOWN = "node_unknown"
    """The API server could not tell."""
    DATABASE_UNKNOWN = "database_unknown"
    """The database could not be read."""
    NOT_MANAGED = "not_managed"
    """Somebody has told the operator to leave the database alone."""
    CHANGING = "changing"
    """The primary is being changed already."""
    PRIMARY_ELSEWHERE = "primary_elsewhere"
    """The dead zone does not hold the primary."""
    NOT_DURABLE = "not_durable"
    """The old primary could acknowledge commits that no standby has, so it is not harmless."""
    NO_QUORUM = "no_quorum"
    """The standbys elsewhere may lack an acknowledged commit."""
    COOLING_DOWN = "cooling_down"
    """The primary changed, or was acted upon, only just now."""
    NOT_RUNNING = "not_running"
    """The primary's pod is not what the endpoints tell of: gone, made anew, or on another node."""


@dataclass(frozen=True)
class Limits:
    """How patient to be."""

    dead_after_seconds: float
    """A zone that was silent this long to all others is dead."""
    cool_down_seconds: float
    """At least this long between two changes of the primary."""


@dataclass(frozen=True)
class Observation:
    """Everything that a decision is made from."""

    zones: Sequence[str]
    """All zones of the stack."""
    own_zone: str
    votes: Sequence[Vote]
    """The own one and those of peers, one per zone."""
    has_node_renewed: Mapping[str, bool | None]
    """By silent zone: whether one of its nodes renewed its lease since the silence began; None: not known."""
    instances: Sequence[Instance] = ()
    database: Database | None = None
    """None: could not be read, or nobody was dead enough to read it."""
    pod: Pod | None = None
    """The primary's; None: there is none."""
    seconds_since_action: float | None = None
    """Since this watcher acted; None: never."""


@dataclass(frozen=True)
class Action:
    """Delete this pod by force, if it is still the one with this UID."""

    pod: str
    uid: str
    zone: str
    detail: str
    """Evidence, for people."""


@dataclass(frozen=True)
class Refusal:
    """Do nothing."""

    reason: Reason
    detail: str = ""
    """Evidence, for people."""


Outcome = Action | Refusal


class Standing(StrEnum):
    """What one voter says of a zone."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


def standing(silence: Silence | None, limits: Limits) -> Standing:
    """Return what a vote says of a zone: dead only when enough kinds of witness fell silent together."""
    if silence is None or not silence.kinds:
        return Standing.UNKNOWN
    if silence.seconds < limits.dead_after_seconds:
        return Standing.ALIVE
    return Standing.DEAD if len(silence.kinds) >= KINDS_MIN else Standing.UNKNOWN


def dead_zones(observation: Observation, limits: Limits) -> frozenset[str] | Refusal:
    """Return the zones that a majority of all zones calls dead, and nobody alive; or why there is none."""
    votes = {vote.zone: vote for vote in observation.votes if vote.age_seconds <= VOTE_MAX_AGE_SECONDS}
    counts: dict[str, list[Standing]] = {
        zone: [standing(vote.silences.get(zone), limits) for voter, vote in votes.items() if voter != zone]
        for zone in observation.zones
        if zone != observation.own_zone
    }
    suspected = {zone: found for zone, found in counts.items() if Standing.DEAD in found}
    if not suspected:
        return Refusal(Reason.ALL_ALIVE)
    silent = {zone: found for zone, found in suspected.items() if Standing.ALIVE not in found}
    needed = len(observation.zones) // 2 + 1
    if not silent:
        return Refusal(Reason.SEEN_ALIVE, _tally(suspected, needed))
    dead = frozenset(zone for zone, found in silent.items() if found.count(Standing.DEAD) >= needed)
    return dead or Refusal(Reason.NO_MAJORITY, _tally(silent, needed))


def decide(observation: Observation, limits: Limits) -> Outcome:
    """Return the one action that is due, or why there is none."""
    dead = dead_zones(observation, limits)
    if isinstance(dead, Refusal):
        return dead
    for zone in sorted(dead):
        renewed = observation.has_node_renewed.get(zone)
        if renewed is None:
            return Refusal(Reason.NODE_UNKNOWN, f"no lease of {zone}'s nodes could be read")
        if renewed:
            return Refusal(
                Reason.NODE_ALIVE, f"a node of {zone} has renewed its lease since the silence began"
            )
    if observation.database is None:
        return Refusal(Reason.DATABASE_UNKNOWN, f"{', '.join(sorted(dead))} is dead")
    return _decide_on(observation.database, dead, observation, limits)


def _decide_on(database: Database, dead: frozenset[str], observation: Observation, limits: Limits) -> Outcome:
    if not database.is_managed:
        return Refusal(Reason.NOT_MANAGED, "the operator was told to leave the database alone")
    if not database.primary or database.primary != database.target:
        return Refusal(Reason.CHANGING, f"from {database.primary or 'none'} to {database.target or 'none'}")
    primary = next((item for item in observation.instances if item.name == database.primary), None)
    if primary is None:
        return Refusal(Reason.NOT_RUNNING, f"{database.primary} has no endpoint")
    if primary.zone not in dead:
        return Refusal(Reason.PRIMARY_ELSEWHERE, f"{primary.name} is in {primary.zone}")
    return (
        _unsafe(database, dead, observation.instances)
        or _too_soon(database, observation.seconds_since_action, limits)
        or _delete(primary, observation)
    )


def _unsafe(database: Database, dead: frozenset[str], instances: Sequence[Instance]) -> Refusal | None:
    """Refuse unless every acknowledged commit is on a standby that is ready outside the dead zones: R + W > N."""
    if database.durability != "required" or database.acknowledging < 1:
        said = database.durability or "no synchronous standby"
        return Refusal(
            Reason.NOT_DURABLE, f"durability is {said}, and only `required` fences the old primary"
        )
    ready = [item for item in instances if item.is_ready and item.zone not in dead]
    if len(ready) + database.acknowledging <= database.standbys:
        said = f"{len(ready)} of {database.standbys} standbys are ready outside {', '.join(sorted(dead))}"
        return Refusal(Reason.NO_QUORUM, f"{said}, and commits wait for {database.acknowledging}")
    return None


def _too_soon(database: Database, seconds_since_action: float | None, limits: Limits) -> Refusal | None:
    ages = [age for age in (database.seconds_since_promotion, seconds_since_action) if age is not None]
    if ages and min(ages) < limits.cool_down_seconds:
        said = f"{min(ages):.0f} s ago, and {limits.cool_down_seconds:.0f} s must lie between"
        return Refusal(Reason.COOLING_DOWN, f"the primary last changed {said}")
    return None


def _delete(primary: Instance, observation: Observation) -> Outcome:
    pod = observation.pod
    if pod is None or pod.name != primary.name or pod.node != primary.node or not pod.is_running:
        return Refusal(Reason.NOT_RUNNING, f"{primary.name} does not run on {primary.node} any more")
    heard = {
        vote.zone: f"{found.seconds:.1f} s ({', '.join(sorted(found.kinds))})"
        for vote in observation.votes
        if (found := vote.silences.get(primary.zone)) is not None
    }
    detail = "; ".join(f"{zone} has heard nothing for {said}" for zone, said in sorted(heard.items()))
    return Action(pod.name, pod.uid, primary.zone, detail)


def _tally(counts: Mapping[str, Sequence[Standing]], needed: int) -> str:
    return "; ".join(
        f"{zone}: {found.count(Standing.DEAD)} of {needed} needed call it dead, "
        f"{found.count(Standing.ALIVE)} alive"
        for zone, found in sorted(counts.items())
    )
