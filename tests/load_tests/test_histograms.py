"""Latencies: what merging and writing keep."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_tests.histograms import Latencies


@settings(deadline=None, max_examples=30)
@given(first=st.lists(st.floats(1e-5, 3000), min_size=1), second=st.lists(st.floats(1e-5, 3000)))
def test_merged_and_written_histograms_are_those_of_all_values(first, second):
    merged = Latencies.decode(Latencies(first).encode())
    merged.add(Latencies(second))
    assert merged.summary() == Latencies([*first, *second]).summary()
    exact = max([*first, *second])
    assert merged.most == pytest.approx(exact, rel=2e-3, abs=2e-6)


def test_percentiles_are_of_all_values():
    latencies = Latencies([0.001] * 98 + [10.0] * 2)
    assert latencies.percentile(50) == pytest.approx(0.001, rel=1e-3)
    assert latencies.percentile(99) == pytest.approx(10, rel=1e-3)


def test_what_is_out_of_range_is_counted_as_its_end():
    latencies = Latencies([-1.0, 1e6])
    assert len(latencies) == 2
    assert latencies.most == pytest.approx(3600, rel=1e-3)


def test_nothing_counted_has_no_percentile():
    assert Latencies().summary() == {
        "count": 0, "p50_ms": None, "p90_ms": None, "p99_ms": None, "p99.9_ms": None, "max_ms": None,
    }  # fmt: skip
