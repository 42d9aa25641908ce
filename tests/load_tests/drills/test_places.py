"""Which zone is meant."""

import pytest

from load_tests.drills.places import Places, components_asked, hit_zones, resolve
from load_tests.errors import LoadTestError

PLACES = Places(
    ["zone-a", "zone-b", "zone-c"], {"postgres-primary": ["zone-a"], "postgres": ["zone-a", "zone-c"]}
)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("zone of postgres-primary", "zone-a"),
        ("zone without postgres-primary", "zone-b"),
        ("zone without postgres", "zone-b"),
        ("any zone", "zone-a"),
        ("zone-c", "zone-c"),
    ],
)
def test_a_zone_is_resolved(text, zone):
    assert resolve({"zone": text, "component": "any zone"}, PLACES) == {"zone": zone, "component": "any zone"}


@pytest.mark.parametrize("text", ["zone of nothing", "zone-d"])
def test_a_zone_that_is_nowhere(text):
    with pytest.raises(
        LoadTestError, match=rf"zone: '{text}' is nowhere; the zones are zone-a, zone-b, zone-c"
    ):
        resolve({"zone": text}, PLACES)


def test_no_zone_is_left_without_the_component():
    with pytest.raises(LoadTestError, match="toward: 'zone without x' is nowhere"):
        resolve({"toward": "zone without x"}, Places(["zone-a"], {"x": ["zone-a"]}))


def test_only_what_is_asked_is_looked_for():
    assert components_asked({"zone": "zone of b", "toward": "zone without a", "component": "zone of c"}) == [
        "a",
        "b",
    ]
    assert components_asked({"zone": "any zone"}) == []


@pytest.mark.parametrize(
    ("fault", "parameters", "zones"),
    [
        ("zone-powered-off", {"zone": "zone-b"}, ["zone-b"]),
        ("one-way-partition", {"zone": "zone-b", "toward": "zone-a"}, ["zone-a", "zone-b"]),
        ("pod-killed", {"component": "temporal-balancer", "zone": "zone-b"}, ["zone-b"]),
        ("pod-killed", {"component": "temporal-history", "zone": "zone-b"}, []),
        ("api-stopped", {}, []),
    ],
)
def test_whose_clients_a_fault_cannot_but_hit(fault, parameters, zones):
    assert hit_zones(fault, parameters) == zones
