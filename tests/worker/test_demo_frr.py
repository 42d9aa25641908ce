"""The demo's plan for real routers, and its bad input; the whole of it runs in `make demo ROUTERS=frr`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.demo.deployments import DEFAULT_TENANTS, plan_frr, with_wrong_neighbour
from worker.demo.fleets import Session
from worker.demo.proof import Proof
from worker.demo.watch import State
from worker.errors import UsageError
from worker.models.deployment import CheckSpec, Phase
from worker.routers.inventory import Inventory, RouterRecord
from worker.routers.rendering import render

OPTIONS = {
    "address": "172.31.0.13", "asn": "65003", "network": "10.61.13.0/24", "network_address": "10.61.13.1/24",
    "provider_address": "172.31.0.2", "provider_asn": "64512", "provider_prefixes": "198.51.100.0/24 203.0.113.0/24",
}  # fmt: skip
BIO = RouterRecord("bio-1", "amovil", "frr", "bilbao", "172.31.0.13", options=OPTIONS)


def test_a_router_gets_one_session_and_its_own_network() -> None:
    (item,) = plan_frr(DEFAULT_TENANTS, Inventory({"bio-1": BIO}), "0a1b", "amovil")
    request = item.request

    assert (request.tenant, request.router, request.platform, request.change_id) == (
        "amovil", "bio-1", "frr", "demo-0a1b",
    )  # fmt: skip
    assert request.checks == (CheckSpec("bgp-session", "172.31.0.2"), CheckSpec("route", "198.51.100.0/24"))
    assert render(request.router, request.template, request.variables, request.platform) == (
        "hostname bio-1",
        "interface lo",
        " description bilbao",
        " ip address 10.61.13.1/24",
        "router bgp 65003",
        " bgp router-id 172.31.0.13",
        " no bgp ebgp-requires-policy",
        " neighbor 172.31.0.2 remote-as 64512",
        " neighbor 172.31.0.2 description demo-0a1b",
        " address-family ipv4 unicast",
        "  network 10.61.13.0/24",
    )


def test_the_wrong_change_differs_in_the_neighbours_as_number_alone() -> None:
    (item,) = plan_frr(DEFAULT_TENANTS, Inventory({"bio-1": BIO}), "0a1b", "amovil")
    wrong = with_wrong_neighbour(item).request

    assert wrong.change_id == "demo-0a1b-wrong"
    assert wrong.variables == {**item.request.variables, "provider_asn": "64999"}


def test_what_the_inventory_lacks_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"^ROUTERFLEET_INVENTORY_FILE: has no router 'bio-1'; the demo needs it$"
    ):
        plan_frr(DEFAULT_TENANTS, Inventory(), "0a1b", "amovil")
    bare = RouterRecord("bio-1", "amovil", "frr")
    with pytest.raises(
        UsageError, match=r"^ROUTERFLEET_INVENTORY_FILE: routers\.bio-1\.options lacks 'address'$"
    ):
        plan_frr(DEFAULT_TENANTS, Inventory({"bio-1": bare}), "0a1b", "amovil")


UP, DOWN = (
    Session("bio-1", "route", is_up=True),
    Session("bio-1", "route", is_up=False, detail="no such route"),
)


@pytest.mark.parametrize(
    ("before", "phase", "after", "is_good"),
    [
        (UP, Phase.ROLLED_BACK, UP, True),
        (DOWN, Phase.ROLLED_BACK, UP, False),
        (UP, Phase.ROLLED_BACK, DOWN, False),
        (UP, Phase.DEPLOYED, UP, False),
        (UP, Phase.ROLLBACK_FAILED, UP, False),
        (UP, Phase.REFUSED, UP, False),
    ],
)
def test_proven_is_rolled_back_with_every_session_up(
    before: Session, phase: Phase, after: Session, is_good: bool
) -> None:
    assert Proof((before,), State("t", "r", "s", phase=phase), (after,)).is_good is is_good


def test_without_an_inventory_it_says_what_to_set(tmp_path: Path) -> None:
    def demo(**environment: str) -> tuple[int, str]:
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("ROUTERFLEET_")}
        done = subprocess.run(
            [sys.executable, "-m", "worker.demo", "--routers", "frr"], env={**surroundings, **environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    assert demo() == (
        2,
        "ROUTERFLEET_INVENTORY_FILE: not set; --routers frr needs it (python -m lab routers env prints it)\n",
    )
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"routers": []}))
    assert demo(ROUTERFLEET_INVENTORY_FILE=str(inventory), ROUTERFLEET_CREDENTIALS_FOLDER=str(tmp_path)) == (
        2,
        "ROUTERFLEET_INVENTORY_FILE: has no router 'mad-1'; the demo needs it\n",
    )
