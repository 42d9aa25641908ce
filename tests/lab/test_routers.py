"""The lab's routers: what is planned (pure), and one real fleet in a network of its own that comes, is repaired and goes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import cli
from lab.errors import LabError
from lab.routers import access, files, network
from lab.routers.layout import COUNT_MAX, PROVIDER, customers

ROOT = Path(__file__).resolve().parents[2]


def test_six_routers_of_three_tenants():
    assert [(r.name, r.tenant, r.address, r.asn, r.own_network) for r in customers(6)] == [
        ("mad-1", "chogar", "172.31.0.11", 65001, "10.61.11.0/24"),
        ("svq-1", "chogar", "172.31.0.12", 65002, "10.61.12.0/24"),
        ("bio-1", "amovil", "172.31.0.13", 65003, "10.61.13.0/24"),
        ("vlc-1", "afijo", "172.31.0.14", 65004, "10.61.14.0/24"),
        ("zaz-1", "afijo", "172.31.0.15", 65005, "10.61.15.0/24"),
        ("vgo-1", "afijo", "172.31.0.16", 65006, "10.61.16.0/24"),
    ]


def test_as_many_as_the_network_holds_and_none_twice():
    routers = (PROVIDER, *customers(COUNT_MAX))

    for attribute in ("name", "address", "asn", "own_network", "netns", "port"):
        assert len({getattr(router, attribute) for router in routers}) == COUNT_MAX + 1, attribute
    assert routers[-1].address == "172.31.0.210"
    assert all(len(router.port) <= 15 for router in routers)


def test_inventory_names_where_and_who_and_what_a_template_needs():
    assert access.record(customers(1)[0], "ssh-ed25519 AAAA") == {
        "name": "mad-1", "tenant": "chogar", "platform": "frr", "site": "madrid", "host": "172.31.0.11", "port": 22,
        "credentials": "lab",
        "options": {
            "host_key": "ssh-ed25519 AAAA", "address": "172.31.0.11", "asn": "65001", "network": "10.61.11.0/24",
            "network_address": "10.61.11.1/24", "provider_address": "172.31.0.2", "provider_asn": "64512",
            "provider_prefixes": "198.51.100.0/24 203.0.113.0/24",
        },
    }  # fmt: skip


def test_the_provider_lets_any_router_of_the_network_speak_to_it():
    lines = files.startup(PROVIDER).splitlines()

    assert " bgp listen range 172.31.0.0/24 peer-group customers" in lines
    assert lines[-5:-2] == [
        " address-family ipv4 unicast",
        "  network 198.51.100.0/24",
        "  network 203.0.113.0/24",
    ]


@pytest.mark.parametrize("count", ["0", "201", "-1"])
def test_a_count_that_cannot_be_is_refused_in_one_line(monkeypatch, tmp_path, capsys, count):
    monkeypatch.setenv("ROUTERFLEET_STATE", str(tmp_path / "state"))

    assert cli.main(["routers", "up", f"--count={count}"]) == 2
    assert capsys.readouterr().err == f"lab: --count: {count} must be from 1 to 200\n"
    assert not (tmp_path / "state").exists()


def test_without_routers_there_is_nothing_to_tell(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ROUTERFLEET_STATE", str(tmp_path / "state"))

    assert cli.main(["routers", "status"]) == 1
    assert cli.main(["routers", "env"]) == 2
    assert capsys.readouterr().err == "lab: there are no routers: run `python -m lab routers up`\n"
    assert not (tmp_path / "state").exists()


def test_a_taken_address_range_is_refused_by_name(monkeypatch):
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": "172.16.0.0/12", "dev": "docker0"}]
    monkeypatch.setattr(network, "_ip_json", lambda *_a, **_k: routes)

    with pytest.raises(
        LabError, match=r"172\.31\.0\.0/24: the host already routes 172\.16\.0\.0/12 to docker0"
    ):
        network.check_free()


PRIVATE = ("unshare", "--net", "--mount", "bash", "-euc")
STORY = """
mkdir -p "$(dirname "$STATE")"
mount --make-rprivate /
mount -t tmpfs tmpfs /run
ip link set lo up
lab() { code=0; "$PYTHON" -m lab routers "$@" || code=$?; }
{
  trap 'echo "line $LINENO: exit $?"; lab down' ERR
  lab up --count 2; echo "up $code"
  kill -9 "$("$PYTHON" -c 'import json,sys; print(json.load(open(sys.argv[1]))["pid"])' "$STATE/machines/mad-1/pid.json")"
  ip netns delete rr-svq-1
  lab status > /dev/null; echo "broken $code"
  lab up --count 2 > /dev/null; echo "repaired $code"
  "$PYTHON" -c 'import socket; print(socket.create_connection(("172.31.0.12", 22), 50).recv(8).decode())'
  lab up --count 1 > /dev/null; echo "fewer $code"
  ip netns | sort | sed 's/ .*//'
  lab down
  lab down; echo "down $code"
} 2> "$STATE.err" | grep -v '^\\(mad\\|svq\\|inventory\\|credentials\\)'
ip netns
ip -o link | cut -d: -f2
find /run "$STATE" -not -path "/run/mount*" 2>/dev/null || true  # every mount command makes /run/mount
pgrep -f "$STATE" -l | grep -v -e pgrep -e bash || true
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.skipif(not Path("/usr/lib/frr/watchfrr").exists(), reason="python -m lab toolchain frr")
def test_a_real_fleet_comes_is_repaired_and_leaves_nothing(tmp_path):
    state = tmp_path / "state"
    done = subprocess.run(
        [*PRIVATE, STORY], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={
            **os.environ, "PYTHON": sys.executable, "ROUTERFLEET_STATE": str(state), "STATE": str(state / "routers"),
        },
    )  # fmt: skip

    errors = Path(f"{state / 'routers'}.err").read_text()
    assert done.stderr == "", errors
    assert done.stdout.split("\n") == [
        "up 0", "broken 1", "repaired 0", "SSH-2.0-", "fewer 0", "rr-core", "rr-mad-1", "rr-provider",
        "the routers are down", "the routers are down", "down 0", " lo", "/run", "",
    ], errors  # fmt: skip


def test_status_is_json_where_asked(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ROUTERFLEET_STATE", str(tmp_path / "state"))

    assert cli.main(["routers", "status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "is_up": False,
        "provider": {"address": "172.31.0.2", "asn": 64512, "ready": False, "routes": []},
        "routers": [],
        "inventory": str(tmp_path / "state" / "routers" / "inventory.json"),
        "credentials": str(tmp_path / "state" / "routers" / "credentials"),
    }
