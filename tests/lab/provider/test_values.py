"""Plain values: quantities, differences, projection, unknowns, and their messages."""

from decimal import Decimal

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from lab.provider import wire
from lab.provider.values import (
    UNKNOWN,
    Change,
    differences,
    has_unknown,
    project,
    quantity,
    same,
    without_nulls,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("spelling", "amount"),
    [
        ("500m", Decimal("0.5")),
        (0.5, Decimal("0.5")),
        ("1Gi", Decimal(2**30)),
        ("1G", Decimal(10**9)),
        ("1e3", Decimal(1000)),
        ("2E", Decimal(2 * 10**18)),
        (7, Decimal(7)),
        ("-1", Decimal(-1)),
        ("", None),
        ("1.2.3", None),
        ("Gi", None),
        ("10.0.0.1", None),
        (True, None),
        (None, None),
    ],
)
def test_quantity(spelling, amount):
    assert quantity(spelling) == amount


@pytest.mark.parametrize(
    ("wanted", "live", "answer"),
    [
        ("0.5", "500m", True),
        ("1024Mi", "1Gi", True),
        (1, "1", True),
        ("1", "2", False),
        (True, 1, False),
        ("a", "a", True),
        (None, None, True),
    ],
)
def test_same(wanted, live, answer):
    assert same(wanted, live) is answer


def test_differences_go_down_to_the_leaves():
    old = {"spec": {"ports": [{"port": 80}, {"port": 81}], "kept": 1}, "metadata": {"labels": {"a/b": "x"}}}
    new = {"spec": {"ports": [{"port": 80.5}], "kept": 1, "new": {}}, "metadata": {"labels": {"a/b": "y"}}}

    assert differences(old, new) == {
        "spec.ports[0].port": Change.UPDATE,
        "spec.ports[1]": Change.DELETE,
        "spec.new": Change.ADD,
        'metadata.labels["a/b"]': Change.UPDATE,
    }


def test_differences_tell_true_from_one():
    assert differences({"a": True}, {"a": 1}) == {"a": Change.UPDATE}


@given(JSON)
def test_nothing_differs_from_itself(value):
    assert differences(value, value) == {}


@pytest.mark.parametrize(
    ("wanted", "live", "now"),
    [
        pytest.param({"replicas": 3}, {"replicas": 7, "other": 1}, {"replicas": 7}, id="drift"),
        pytest.param({"cpu": "0.5"}, {"cpu": "500m"}, {"cpu": "0.5"}, id="other spelling"),
        pytest.param({"a": "x", "b": "y"}, {"a": "x"}, {"a": "x"}, id="gone"),
        pytest.param(
            {"empty": {}, "no": False, "zero": 0},
            {},
            {"empty": {}, "no": False, "zero": 0},
            id="says nothing",
        ),
        pytest.param([{"a": 1}], [{"a": 1, "default": 2}], [{"a": 1}], id="defaults inside lists"),
        pytest.param([1], [1, 2], [1, 2], id="longer list"),
    ],
)
def test_project(wanted, live, now):
    assert project(wanted, live) == now


@given(JSON)
def test_what_is_as_asked_for_is_no_drift(value):
    assert project(value, value) == value


def test_without_nulls_and_unknowns():
    assert without_nulls({"a": None, "b": [{"c": None}]}) == {"b": [{}]}
    assert has_unknown({"a": [{"b": UNKNOWN}]}) is True
    assert has_unknown({"a": ["b"], UNKNOWN: 1}) is False


@given(st.dictionaries(st.text(), JSON))
def test_messages_keep_values(value):
    assert wire.plain_struct(wire.struct(value)) == value


def test_whole_numbers_stay_whole():
    message = json_format.ParseDict({"replicas": 3, "ratio": 0.5}, struct_pb2.Struct())
    plain = wire.plain_struct(message)
    assert plain == {"replicas": 3, "ratio": 0.5}
    assert isinstance(plain["replicas"], int)


def test_secrets_are_unwrapped_and_assets_refused():
    assert wire.plain_struct(wire.struct({"a": wire.secret({"b": 1})})) == {"a": {"b": 1}}
    asset = wire.struct({"a": {wire.SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}})
    with pytest.raises(wire.SpecialValueError, match=r"^an asset cannot be part of a Kubernetes object$"):
        wire.plain_struct(asset)
