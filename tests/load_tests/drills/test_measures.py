"""Figures of made-up operations, each computed by hand."""

from dataclasses import replace

import pytest

from load_tests.drills.measures import Latency, by_tenant, longest_outage, measure
from load_tests.models import OperationKind, Outcome
from tests.load_tests.drills.support import MOMENTS, operation, probe, probes


def test_an_outage_lasts_from_the_first_miss_until_an_answer():
    found = probes(1000, 1020, every=0.5, missed=[(1005, 1009)])
    assert longest_outage(found, 1020) == (1005, pytest.approx(4.1))


def test_answers_in_between_do_not_end_an_outage_of_a_part_of_the_shards():
    found = probes(1000, 1020, every=0.5, missed=[(1005, 1005.5), (1006.5, 1007), (1008, 1008.5)])
    assert longest_outage(found, 1020) == (1005, pytest.approx(3.6))


def test_two_misses_far_apart_are_two_outages():
    found = probes(1000, 1020, every=0.5, missed=[(1005, 1005.5), (1007, 1008)])
    assert longest_outage(found, 1020) == (1007, pytest.approx(1.1))


def test_an_outage_without_an_end_lasts_to_the_end():
    assert longest_outage(probes(1000, 1020, missed=[(1012, 1020)]), 1020) == (1012, 8)


def test_one_miss_in_more_than_a_hundred_is_no_outage():
    close = [probe(1000 + n / 100, ok=n not in (100, 290)) for n in range(500)]
    assert longest_outage(close, 1005) == (None, 0.0)
    assert longest_outage([replace(item, outcome=Outcome.FAILED) for item in close], 1005) == (1000, 5)


def test_no_probes_no_outage():
    assert longest_outage([], 1000) == (None, 0.0)


def test_outages_are_those_of_the_zones_left_alone_from_the_fault_on():
    operations = [
        *probes(1000, 1200, "zone-a", missed=[(1060, 1100)]),
        *probes(1000, 1200, "zone-b", missed=[(1020, 1040), (1059.5, 1064)]),
    ]
    found = measure(operations, MOMENTS, {"zone-a"})
    assert (found.outage_seconds, found.outage_began_seconds) == (4.6, -2.5)
    assert found.outage_hit_seconds == 40.1
    assert (found.probes, found.failed_probes) == (282, 9)
    assert measure(operations, MOMENTS, ()).outage_hit_seconds is None
    assert measure(operations, MOMENTS, ()).outage_seconds == 40.1


def closes(latencies):
    """One operation each second, as slow as said for the stretch it is due in."""
    return [
        operation(
            1000 + second, latency=next(value for since, value in reversed(latencies) if second >= since)
        )
        for second in range(200)
    ]


def test_latencies_before_during_and_after():
    found = measure(closes([(0, 9), (10, 0.1), (60, 5), (160, 0.15)]), MOMENTS, ())
    assert found.before == Latency(50, 0.1, 0.1, 0.1)
    assert found.during == Latency(100, 5, 5, 5)
    assert found.after == Latency(40, 0.15, 0.15, 0.15)
    assert found.p99_ratio == 1.5
    assert found.recovered_seconds == 60


@pytest.mark.parametrize(("slow_until", "seconds"), [(90, 0), (103, 3), (189, 89), (195, None)])
def test_the_system_has_recovered_when_no_window_is_slow_any_more(slow_until, seconds):
    found = measure(closes([(0, 0.1), (60, 5), (slow_until, 0.19)]), MOMENTS, ())
    assert found.recovered_seconds == seconds


def test_results_count_where_there_are_any_and_acknowledgements_else():
    starts = [operation(1020 + n, kind=OperationKind.START, latency=2) for n in range(10)]
    assert measure(starts, MOMENTS, ()).before.p99_seconds == 2
    found = measure([*starts, operation(1030, latency=7)], MOMENTS, ())
    assert found.before == Latency(1, 7, 7, 7)
    assert found.longest_acknowledgement_seconds == 2


def test_failures_are_those_of_users_in_the_whole_drill():
    operations = [
        operation(999, ok=False),
        operation(1000, ok=False),
        operation(1150, ok=False),
        operation(1200, ok=False),
    ]
    found = measure([*operations, operation(1100), probe(1100, ok=False)], MOMENTS, ())
    assert (found.operations, found.failed_operations) == (3, 2)


def test_the_budget_is_spent_by_probes_that_miss_anywhere():
    operations = [*probes(1000, 1200, "zone-a", missed=[(1100, 1150)]), *probes(1000, 1200, "zone-b")]
    assert measure(operations, MOMENTS, {"zone-a"}).budget_share == pytest.approx(25 / 259.2, abs=1e-4)


def test_nothing_at_all():
    found = measure([], MOMENTS, ())
    assert (found.outage_seconds, found.p99_ratio, found.recovered_seconds, found.budget_share) == (
        0,
        None,
        None,
        0,
    )


def test_each_tenant_has_its_own():
    found = by_tenant([operation(1020, latency=1), operation(1070, tenant="afijo", latency=3)], MOMENTS)
    assert list(found) == ["afijo", "chogar"]
    assert found["chogar"]["before"].operations == 1
    assert found["afijo"]["during"].p99_seconds == 3
    assert found["afijo"]["after"].operations == 0
