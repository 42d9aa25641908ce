"""What makes a steady state none."""

from dataclasses import replace

import pytest

from load_tests.drills.steady import disturbances
from load_tests.generator.processor import Idleness
from tests.load_tests.drills.support import operation, probe, probes

GOOD = [*probes(1000, 1060), *(operation(1000 + n) for n in range(60))]
IDLE = [Idleness(1000 + n, 0.5) for n in range(60)]


def test_steady():
    assert disturbances(GOOD, IDLE, 1010, 1060) == []


def test_what_was_before_does_not_count_and_what_is_under_way_neither():
    under_way = replace(probe(1059, ok=False), ended=None)
    waiting = replace(operation(1030, ok=False), ended=None)
    assert disturbances([*GOOD, probe(1009, ok=False), under_way, waiting], IDLE, 1010, 1060) == []


@pytest.mark.parametrize(
    ("operations", "idle", "problem"),
    [
        (
            [*GOOD, probe(1030, ok=False), probe(1031, ok=False)],
            IDLE,
            "before the fault 2 of 99 probes failed already",
        ),
        ([*GOOD, operation(1030, ok=False)], IDLE, "before the fault 1 operations of users failed already"),
        ([], IDLE, "before the fault nothing was acknowledged"),
        (GOOD, [Idleness(1020, 0.29)], "before the fault the machine was 29% idle, at least 30% are needed"),
    ],
)
def test_not_steady(operations, idle, problem):
    (found,) = disturbances(operations, idle, 1010, 1060)
    assert found.startswith(problem)
