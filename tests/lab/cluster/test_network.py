import json

import pytest

from lab.cluster import network
from lab.errors import LabError


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (
            [{"dst": "10.244.0.0/16", "dev": "cni0"}],
            r"10\.244\.0\.0/16: the host already routes 10\.244\.0\.0/16 to cni0",
        ),
        (
            [{"dst": "172.16.0.0/12", "dev": "docker0"}],
            r"172\.30\.0\.0/24: the host already routes 172\.16\.0\.0/12",
        ),
        (
            [{"dst": "10.96.0.1", "dev": "lo"}],
            r"10\.96\.0\.0/16: the host already routes 10\.96\.0\.1/32 to lo",
        ),
    ],
)
def test_a_taken_address_range_is_refused_by_name(monkeypatch, routes, expected):
    monkeypatch.setattr(network, "_ip_json", lambda *_a, **_k: json.loads(json.dumps(routes)))

    with pytest.raises(LabError, match=expected):
        network.check_free()


def test_the_labs_own_routes_and_other_ranges_are_fine(monkeypatch):
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "192.168.1.0/24", "dev": "eth0"},
        {"dst": "172.30.0.0/24", "dev": "rf-host"},
        {"dst": "10.96.0.0/16", "nexthops": [{"dev": "rf-host"}]},
        {"dst": "fe80::/64", "dev": "eth0"},
    ]
    monkeypatch.setattr(network, "_ip_json", lambda *_a, **_k: routes)

    network.check_free()
