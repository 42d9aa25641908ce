"""Plans of arrivals: rate, bounds, and the same seed giving the same plan, for every shape."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load_tests.arrivals import (
    Arrival,
    Burst,
    Constant,
    EbbAndFlow,
    Poisson,
    Ramp,
    Trace,
    parse_mix,
    parse_shape,
    plan,
)
from load_tests.errors import LoadTestError

SHAPES = st.sampled_from(
    [Constant(), Poisson(), Ramp(), Ramp(2, 0), Burst(20, 10, 1), EbbAndFlow(7), EbbAndFlow(30, 0.5)]
)


def draw(seed):
    return random.Random(seed)  # noqa: S311 - repeatable


SHARES = {"chogar": 0.5, "amovil": 0.3, "afijo": 0.2}


@settings(deadline=None, max_examples=25)
@given(shape=SHAPES, rate=st.floats(0.5, 50), seconds=st.floats(1, 20), seed=st.integers(0, 2**32))
def test_a_plan_is_sorted_within_the_run_and_the_same_for_the_same_seed(shape, rate, seconds, seed):
    try:
        arrivals = plan(shape, SHARES, rate, seconds, seed)
    except LoadTestError:
        return  # so little that nothing is due
    assert list(arrivals) == sorted(arrivals)
    assert all(0 <= arrival.offset < seconds for arrival in arrivals)
    assert arrivals == plan(shape, SHARES, rate, seconds, seed)


@pytest.mark.parametrize(
    ("shape", "per_second"),
    [
        (Constant(), 100),
        (Ramp(0, 1), 50),
        (Ramp(1, 3), 200),
        (Burst(20, 10, 1), 290),
        (EbbAndFlow(10, 1), 100),
    ],
)
@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=5)
def test_the_rate_is_exactly_what_the_shape_makes_of_it(shape, per_second, seed):
    assert abs(len(shape.offsets(100, 20, draw(seed))) - per_second * 20) <= 1


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=8)
def test_poisson_has_the_mean_and_the_variance_of_poisson(seed):
    offsets = Poisson().offsets(50, 200, draw(seed))
    assert abs(len(offsets) - 10_000) < 5 * 100
    counts = Counter(int(offset) for offset in offsets)
    variance = sum((counts[second] - 50) ** 2 for second in range(200)) / 200
    assert 50 * 0.5 < variance < 50 * 1.7


def test_a_burst_is_where_it_should_be():
    counts = Counter(int(at) for at in Burst(20, 10, 1).offsets(5, 20, draw(1)))
    assert {second for second, count in counts.items() if count > 50} == {9, 19}


def test_tenants_get_their_shares_and_do_not_move_each_other():
    arrivals = plan(Constant(), SHARES, 100, 10, 1)
    assert Counter(arrival.tenant for arrival in arrivals) == {"chogar": 500, "amovil": 300, "afijo": 200}
    alone = plan(Constant(), {"chogar": 0.5}, 100, 10, 1)
    assert [arrival for arrival in arrivals if arrival.tenant == "chogar"] == list(alone)


def test_another_seed_is_another_plan():
    assert plan(Poisson(), SHARES, 10, 10, 1) != plan(Poisson(), SHARES, 10, 10, 2)


def test_a_trace_is_replayed_as_it_was(tmp_path):
    file = tmp_path / "trace"
    file.write_text("0.5\n\n0.25\n3\n")
    assert plan(Trace(str(file)), {"chogar": 1.0}, 1, 2, 1) == (
        Arrival(0.25, "chogar"),
        Arrival(0.5, "chogar"),
    )


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("poisson", Poisson()),
        ("burst:factor=3,every=10,lasting=1", Burst(3, 10, 1)),
        ("ramp:begin=0,end=2", Ramp(0, 2)),
        ("ebb-and-flow:period=30", EbbAndFlow(30)),
        ("trace:file=a,b", None),
    ],
)
def test_shapes_of_the_command_line(text, shape):
    if shape is None:
        with pytest.raises(LoadTestError, match="'b' is not known"):
            parse_shape(text)
    else:
        assert parse_shape(text) == shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sine", "--shape: 'sine' must be one of constant, poisson, ramp, burst, ebb-and-flow, trace"),
        ("poisson:rate=2", "--shape poisson: 'rate=2' is not known; it takes nothing"),
        ("burst:factor", "--shape burst: 'factor' is not known; it takes factor=..., every=..., lasting=..."),
        ("burst:every=0", "--shape burst: every: '0' must be a number above 0"),
        ("burst:every=5,lasting=6", "--shape burst: lasting 6 must be at most every, which is 5"),
        ("ebb-and-flow:depth=2", "--shape ebb-and-flow: depth: '2' must be a number from 0 to 1"),
        ("ramp:end=inf", "--shape ramp: end: 'inf' must be a number 0 or more"),
        ("trace", "--shape trace: file is missing; write trace:file=..."),
    ],
)
def test_a_bad_shape_is_one_line(text, message):
    with pytest.raises(LoadTestError) as error:
        parse_shape(text)
    assert str(error.value) == message


def test_a_bad_line_of_a_trace_is_named(tmp_path):
    file = tmp_path / "trace"
    file.write_text("1\n-2\n")
    with pytest.raises(LoadTestError, match=r"trace:2: '-2' must be a number of seconds, 0 or more"):
        plan(Trace(str(file)), {"chogar": 1.0}, 1, 2, 1)
    with pytest.raises(LoadTestError, match=r"file '.*none' cannot be read"):
        plan(Trace(str(tmp_path / "none")), {"chogar": 1.0}, 1, 2, 1)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("", {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}),
        ("a=3,b", {"a": 0.75, "b": 0.25}),
        ("a=1,b=0", {"a": 1.0}),
    ],
)
def test_mixes_of_the_command_line(text, shares):
    assert parse_mix(text, ["a", "b", "c", "d"]) == shares


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z", "--tenants: 'z' must be one of a, b"),
        ("a=x", "--tenants: a: 'x' must be a number 0 or more"),
        ("a=0", "--tenants: 'a=0' must leave somebody a share above 0"),
    ],
)
def test_a_bad_mix_is_one_line(text, message):
    with pytest.raises(LoadTestError) as error:
        parse_mix(text, ["a", "b"])
    assert str(error.value) == message
