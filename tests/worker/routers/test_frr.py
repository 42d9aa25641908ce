"""The FRR driver's pure parts; against real routers it is tested in tests/live/test_frr.py."""

from __future__ import annotations

import json

import pytest

from worker.errors import CredentialsMissingError
from worker.models.deployment import CheckSpec
from worker.routers import ssh
from worker.routers.credentials import Credentials
from worker.routers.driver import Check
from worker.routers.frr import check_configuration, judge, question
from worker.routers.inventory import RouterRecord

RUNNING = ["router bgp 1", " bgp router-id 192.0.2.1", " neighbor 192.0.2.2 remote-as 2"]


@pytest.mark.parametrize(
    ("kind", "target", "command"),
    [
        ("bgp-session", "192.0.2.1", "show bgp neighbors 192.0.2.1 json"),
        ("bgp-session", "2001:DB8::1", "show bgp neighbors 2001:db8::1 json"),
        ("bgp-session", "192.0.2.1 json\nconfigure", ""),
        ("route", "192.0.2.0/24", "show ip route 192.0.2.0/24 json"),
        ("route", "2001:db8::/32", "show ipv6 route 2001:db8::/32 json"),
        ("route", "192.0.2.1/24", ""),
        ("interface", "eth0.100", "show interface eth0.100 json"),
        ("interface", "eth0 json | include", ""),
        ("interface", "", ""),
    ],
)
def test_a_check_becomes_a_command_only_of_a_target_of_its_kind(kind, target, command):
    assert question(CheckSpec(kind, target)) == command


@pytest.mark.parametrize(
    ("check", "answer", "detail"),
    [
        (CheckSpec("bgp-session", "192.0.2.1"), {"192.0.2.1": {"bgpState": "Established"}}, ""),
        (CheckSpec("bgp-session", "192.0.2.1"), {"192.0.2.1": {"bgpState": "Active"}}, "session is Active"),
        (CheckSpec("bgp-session", "192.0.2.1"), {"bgpNoSuchNeighbor": True}, "no such neighbour"),
        (CheckSpec("route", "192.0.2.0/24"), {"192.0.2.0/24": [{"selected": True, "installed": True}]}, ""),
        (
            CheckSpec("route", "192.0.2.0/24"),
            {"192.0.2.0/24": [{"selected": True}]},
            "route is not installed",
        ),
        (CheckSpec("route", "192.0.2.0/24"), {}, "no such route"),
        (
            CheckSpec("interface", "eth0"),
            {"eth0": {"administrativeStatus": "up", "operationalStatus": "up"}},
            "",
        ),
        (
            CheckSpec("interface", "eth0"),
            {"eth0": {"administrativeStatus": "up", "operationalStatus": "down"}},
            "is down",
        ),
    ],
)
def test_an_answer_is_judged(check, answer, detail):
    assert judge(check, json.dumps(answer)) == Check(str(check), not detail, detail)


@pytest.mark.parametrize("answer", ["", "% Unknown command: show", "{"])
def test_no_answer_is_no_success(answer):
    assert judge(CheckSpec("route", "192.0.2.0/24"), answer) == Check(
        "route 192.0.2.0/24", False, "no such route"
    )


def test_a_configuration_is_the_same_in_whatever_order_frr_shows_it():
    desired = [RUNNING[0], RUNNING[2], RUNNING[1], "exit"]

    assert check_configuration(RUNNING, desired) == Check("configuration", is_passed=True)


def test_what_is_missing_of_a_configuration_is_said():
    check = check_configuration(RUNNING, [*RUNNING, " neighbor 192.0.2.2 description x"])

    assert check == Check(
        "configuration",
        is_passed=False,
        detail="still to do: router bgp 1; neighbor 192.0.2.2 description x; exit",
    )


async def test_without_a_host_key_nobody_is_spoken_to():
    router = RouterRecord("r1", "t1", "frr", host="127.0.0.1", port=9)

    with pytest.raises(CredentialsMissingError, match=r"^r1: no host key is known: set options\.host_key "):
        await ssh.run(router, Credentials("fleet", password="p"), "true", "")
