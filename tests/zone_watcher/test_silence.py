from __future__ import annotations

from zone_watcher.model import Silence, Witness
from zone_watcher.silence import ZoneState, advance

DATABASE = Witness("database", "c", "10.0.2.1", 5432)
BALANCER = Witness("balancer", "c", "10.0.2.2", 8404)
OTHER = Witness("database", "b", "10.0.1.1", 5432)
States = dict[str, ZoneState]


def rounds(before: States, count: int, *answers: tuple[Witness, bool], seconds: float = 1.0) -> States:
    for _ in range(count):
        before = advance(before, seconds, answers)
    return before


def silence_of(states: States, zone: str = "c") -> Silence:
    return states[zone].silence()


def test_a_zone_is_silent_from_the_last_round_in_which_anything_answered() -> None:
    states = rounds({}, 3, (DATABASE, True), (BALANCER, True))
    states = rounds(states, 4, (DATABASE, False), (BALANCER, False))

    assert silence_of(states) == Silence(4.0, frozenset({"database", "balancer"}))


def test_one_witness_keeps_its_zone_alive() -> None:
    states = rounds({}, 3, (DATABASE, True), (BALANCER, True))
    states = rounds(states, 4, (DATABASE, False), (BALANCER, True))

    assert silence_of(states).seconds == 0.0


def test_a_witness_that_fell_silent_long_before_is_not_lost_with_its_zone() -> None:
    states = rounds({}, 1, (DATABASE, True), (BALANCER, True))
    states = rounds(states, 11, (DATABASE, False), (BALANCER, True))
    states = rounds(states, 5, (DATABASE, False), (BALANCER, False))

    assert silence_of(states) == Silence(5.0, frozenset({"balancer"}))


def test_a_witness_that_never_answered_is_not_lost() -> None:
    states = rounds({}, 5, (DATABASE, False))

    assert silence_of(states) == Silence(5.0, frozenset())


def test_an_answer_ends_the_silence() -> None:
    states = rounds({}, 1, (DATABASE, True))
    states = rounds(states, 5, (DATABASE, False))
    states = rounds(states, 1, (DATABASE, True))

    assert silence_of(states) == Silence(0.0, frozenset({"database"}))


def test_flapping_never_adds_up() -> None:
    states = rounds({}, 1, (DATABASE, True), (BALANCER, True))
    for _ in range(10):
        states = rounds(states, 3, (DATABASE, False), (BALANCER, False))
        assert silence_of(states).seconds == 3.0
        states = rounds(states, 1, (DATABASE, False), (BALANCER, True))


def test_a_watcher_that_stood_still_has_not_listened() -> None:
    states = rounds({}, 1, (DATABASE, True))
    states = rounds(states, 1, (DATABASE, False), seconds=3600.0)

    assert silence_of(states).seconds == 2.0


def test_zones_are_apart() -> None:
    states = rounds({}, 1, (DATABASE, True), (OTHER, True))
    states = rounds(states, 4, (DATABASE, False), (OTHER, True))

    assert (silence_of(states).seconds, silence_of(states, "b").seconds) == (4.0, 0.0)


def test_a_zone_in_which_nobody_is_left_to_ask_is_forgotten() -> None:
    states = rounds({}, 1, (DATABASE, True), (OTHER, True))

    assert rounds(states, 1, (OTHER, True)).keys() == {"b"}
