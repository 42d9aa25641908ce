"""Every rule of the decision, one change at a time from a case in which the primary's pod is deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zone_watcher.decision import Action, Limits, Observation, Outcome, Reason, Refusal, decide
from zone_watcher.model import Database, Instance, Pod, Silence, Vote

LIMITS = Limits(dead_after_seconds=4, cool_down_seconds=180)
ALL = frozenset({"watcher", "database", "balancer"})
DARK = Silence(5.0, ALL)
HEARD = Silence(0.0, ALL)
DATABASE = Database(
    primary="postgres-3",
    target="postgres-3",
    durability="required",
    acknowledging=1,
    standbys=2,
    is_managed=True,
    seconds_since_promotion=3600.0,
)
INSTANCES = (
    Instance("postgres-1", "a", "node-a", is_ready=True),
    Instance("postgres-2", "b", "node-b", is_ready=True),
    # As Kubernetes has it for 40 s: the dead one's kubelet said so last.
    Instance("postgres-3", "c", "node-c", is_ready=True),
)
POD = Pod("postgres-3", "uid-3", "node-c", is_running=True)


def vote(zone: str, age_seconds: float = 0.5, **silences: Silence) -> Vote:
    return Vote(zone, silences, age_seconds)


DEAD_C = Observation(
    zones=("a", "b", "c"),
    own_zone="a",
    votes=(vote("a", b=HEARD, c=DARK), vote("b", a=HEARD, c=DARK)),
    has_node_renewed={"c": False},
    instances=INSTANCES,
    database=DATABASE,
    pod=POD,
)
"""Zone c is dark and holds the primary."""


def reason(outcome: Outcome) -> Reason | str:
    return outcome.reason if isinstance(outcome, Refusal) else f"{outcome.pod} {outcome.uid}"


def case(observation: Observation, expected: Reason | str, name: str):
    return pytest.param(observation, expected, id=name)


def votes(*given: Vote, own: str = "a", renewed: dict[str, bool | None] | None = None) -> Observation:
    return replace(
        DEAD_C, own_zone=own, votes=given, has_node_renewed={"c": False} if renewed is None else renewed
    )


ZONES = [
    case(DEAD_C, "postgres-3 uid-3", "a dark zone with the primary"),
    case(votes(vote("a", b=HEARD, c=HEARD), vote("b", a=HEARD, c=HEARD)), Reason.ALL_ALIVE, "peace"),
    case(
        votes(vote("a", b=HEARD, c=Silence(3.9, ALL)), vote("b", a=HEARD, c=Silence(3.9, ALL))),
        Reason.ALL_ALIVE,
        "not silent for long enough",
    ),
    case(
        votes(vote("a", b=HEARD, c=DARK), vote("b", a=HEARD, c=HEARD)),
        Reason.SEEN_ALIVE,
        "a one-way partition: the other zone still hears of it",
    ),
    case(
        votes(vote("a", b=HEARD, c=DARK), vote("b", a=HEARD, c=Silence(2.0, ALL))),
        Reason.SEEN_ALIVE,
        "flapping: the other zone heard of it two seconds ago",
    ),
    case(votes(vote("a", b=HEARD, c=DARK)), Reason.NO_MAJORITY, "the peer's vote is missing"),
    case(
        votes(vote("a", b=HEARD, c=DARK), vote("b", 4.1, a=HEARD, c=DARK)),
        Reason.NO_MAJORITY,
        "the peer's vote is old",
    ),
    case(
        votes(vote("a", 4.1, b=HEARD, c=DARK), vote("b", a=HEARD, c=DARK)),
        Reason.NO_MAJORITY,
        "this watcher stood still itself",
    ),
    case(
        votes(vote("a", b=DARK, c=DARK), renewed={"b": False, "c": False}),
        Reason.NO_MAJORITY,
        "this watcher is cut off: the others are dark to it alone",
    ),
    case(
        votes(
            vote("a", b=DARK, c=DARK),
            vote("b", 60.0, a=HEARD, c=DARK),
            vote("c", 60.0, a=HEARD, b=HEARD),
            renewed={"b": False, "c": False},
        ),
        Reason.NO_MAJORITY,
        "this watcher is cut off, and remembers what the others once said",
    ),
    case(
        votes(vote("a", b=HEARD, c=Silence(60, frozenset({"database"}))), vote("b", a=HEARD, c=HEARD)),
        Reason.ALL_ALIVE,
        "one pod dead, and nobody else to ask in its zone",
    ),
    case(
        votes(
            vote("a", b=HEARD, c=Silence(60, frozenset({"database"}))),
            vote("b", a=HEARD, c=Silence(60, frozenset({"database"}))),
        ),
        Reason.ALL_ALIVE,
        "one kind of witness is never a zone",
    ),
    case(
        votes(vote("a", b=HEARD, c=Silence(60)), vote("b", a=HEARD, c=Silence(60))),
        Reason.ALL_ALIVE,
        "nothing stands in the zone",
    ),
    case(
        votes(vote("a", b=HEARD, c=DARK), vote("b", a=HEARD, c=DARK), vote("c", a=DARK, b=DARK)),
        "postgres-3 uid-3",
        "a silent zone of which a last cry was heard",
    ),
    case(replace(DEAD_C, has_node_renewed={"c": True}), Reason.NODE_ALIVE, "its node lives"),
    case(replace(DEAD_C, has_node_renewed={"c": None}), Reason.NODE_UNKNOWN, "its node cannot be asked for"),
    case(replace(DEAD_C, has_node_renewed={}), Reason.NODE_UNKNOWN, "its node is not known"),
]


def database(**changes: object) -> Observation:
    return replace(DEAD_C, database=replace(DATABASE, **changes))  # type: ignore[arg-type]


def members(*instances: Instance) -> Observation:
    return replace(DEAD_C, instances=instances)


DATABASES = [
    case(replace(DEAD_C, database=None), Reason.DATABASE_UNKNOWN, "the API server is dark too"),
    case(database(is_managed=False), Reason.NOT_MANAGED, "hibernated, fenced or paused"),
    case(database(target="pending"), Reason.CHANGING, "the operator fails over already"),
    case(database(target="postgres-1"), Reason.CHANGING, "a switchover is on its way"),
    case(database(primary="", target=""), Reason.CHANGING, "there is no primary yet"),
    case(
        database(primary="postgres-1", target="postgres-1"),
        Reason.PRIMARY_ELSEWHERE,
        "the primary is in a zone that lives",
    ),
    case(database(durability="preferred"), Reason.NOT_DURABLE, "preferred durability"),
    case(database(durability=None, acknowledging=0), Reason.NOT_DURABLE, "no synchronous standby"),
    case(database(acknowledging=0), Reason.NOT_DURABLE, "synchronous with nobody"),
    case(
        members(replace(INSTANCES[0], is_ready=False), *INSTANCES[1:]),
        Reason.NO_QUORUM,
        "a standby elsewhere is not ready",
    ),
    case(members(*INSTANCES[1:]), Reason.NO_QUORUM, "a standby elsewhere is missing"),
    case(
        members(INSTANCES[0], replace(INSTANCES[1], zone="c"), INSTANCES[2]),
        Reason.NO_QUORUM,
        "a standby is in the dark zone as well",
    ),
    case(database(standbys=3), Reason.NO_QUORUM, "four instances, two of them ready elsewhere"),
    case(database(standbys=3, acknowledging=2), "postgres-3 uid-3", "four instances, two acknowledge"),
    case(database(seconds_since_promotion=179.0), Reason.COOLING_DOWN, "flapping: promoted only just now"),
    case(database(seconds_since_promotion=None), "postgres-3 uid-3", "never promoted"),
    case(replace(DEAD_C, seconds_since_action=179.0), Reason.COOLING_DOWN, "acted only just now"),
    case(replace(DEAD_C, seconds_since_action=180.0), "postgres-3 uid-3", "acted long ago"),
    case(members(*INSTANCES[:2]), Reason.NOT_RUNNING, "the primary's pod has lost its endpoint"),
    case(replace(DEAD_C, pod=None), Reason.NOT_RUNNING, "the primary's pod is gone"),
    case(
        replace(DEAD_C, pod=replace(POD, is_running=False)),
        Reason.NOT_RUNNING,
        "made anew, never run: another watcher was faster",
    ),
    case(replace(DEAD_C, pod=replace(POD, node="node-c2")), Reason.NOT_RUNNING, "moved to another node"),
]

FIVE = replace(
    DEAD_C,
    zones=("a", "b", "c", "d", "e"),
    votes=tuple(vote(zone, c=DARK, d=HEARD, e=HEARD) for zone in ("a", "b", "d")),
)
"""Five zones; c is dark, and nobody heard from e's watcher."""

LARGER = [
    case(FIVE, "postgres-3 uid-3", "three of five call it dead"),
    case(replace(FIVE, votes=FIVE.votes[:2]), Reason.NO_MAJORITY, "two of five call it dead"),
    case(
        replace(FIVE, votes=(*FIVE.votes, vote("e", c=HEARD))),
        Reason.SEEN_ALIVE,
        "three of five call it dead, and one sees it alive",
    ),
    case(
        replace(
            FIVE,
            votes=tuple(replace(item, silences={"c": DARK, "e": DARK}) for item in FIVE.votes),
            has_node_renewed={"c": False, "e": True},
        ),
        Reason.NODE_ALIVE,
        "two are dark, and a node of one lives",
    ),
]


@pytest.mark.parametrize(("observation", "expected"), [*ZONES, *DATABASES, *LARGER])
def test_a_decision_is(observation: Observation, expected: Reason | str) -> None:
    assert reason(decide(observation, LIMITS)) == expected


def test_an_action_says_which_pod_and_why() -> None:
    assert decide(DEAD_C, LIMITS) == Action(
        pod="postgres-3",
        uid="uid-3",
        zone="c",
        detail=(
            "a has heard nothing for 5.0 s (balancer, database, watcher); "
            "b has heard nothing for 5.0 s (balancer, database, watcher)"
        ),
    )


def test_a_refusal_says_who_was_counted() -> None:
    outcome = decide(votes(vote("a", b=HEARD, c=DARK), vote("b", a=HEARD, c=HEARD)), LIMITS)

    assert outcome == Refusal(Reason.SEEN_ALIVE, "c: 1 of 2 needed call it dead, 1 alive")


def test_every_reason_has_a_case() -> None:
    covered = {item.values[1] for item in (*ZONES, *DATABASES, *LARGER)}

    assert set(Reason) <= covered
