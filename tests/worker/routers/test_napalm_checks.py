"""What NAPALM's getters return, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from worker.models.deployment import CheckSpec
from worker.routers.driver import Check
from worker.routers.napalm_checks import judge


@pytest.mark.parametrize(
    ("spec", "answer", "detail"),
    [
        (CheckSpec("bgp-session", "192.0.2.2"), {"global": {"peers": {"192.0.2.2": {"is_up": True}}}}, ""),
        (CheckSpec("bgp-session", "2001:db8:0::2"), {"red": {"peers": {"2001:db8::2": {"is_up": True}}}}, ""),
        (
            CheckSpec("bgp-session", "192.0.2.2"),
            {"global": {"peers": {"192.0.2.2": {"is_up": False}}}},
            "not Established",
        ),
        (CheckSpec("bgp-session", "192.0.2.3"), {"global": {"peers": {}}}, "no such neighbour"),
        (CheckSpec("route", "198.51.100.0/24"), {"198.51.100.0/24": [{"protocol": "BGP"}]}, ""),
        (CheckSpec("route", "198.51.100.0/24"), {"198.51.100.0/24": []}, "no route"),
        (CheckSpec("route", "198.51.100.0/24"), {}, "no route"),
        (CheckSpec("interface", "Ethernet1"), {"Ethernet1": {"is_up": True}}, ""),
        (CheckSpec("interface", "Ethernet1"), {"Ethernet1": {"is_up": False}}, "down"),
        (CheckSpec("interface", "Ethernet2"), {"Ethernet1": {"is_up": True}}, "no such interface"),
    ],
)
def test_judge(spec: CheckSpec, answer: Mapping[str, Any], detail: str) -> None:
    assert judge(spec, answer) == Check(str(spec), not detail, detail)
