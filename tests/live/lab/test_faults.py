"""Zones that are silent, deaf in one direction or frozen, and a stopped API server: what pods and clients notice."""

import itertools
import json
import subprocess
import sys
import time

import pytest

from lab.cluster.layout import node_in
from tests.live.conftest import ROOT, lab, restricted_pod, wait_until
from tests.live.lab.test_power_off import worker_image
from tests.live.support import report, wait_all_ready

HIT, ELSEWHERE, THIRD = "zone-c", "zone-a", "zone-b"
READY_SECONDS = 300
DEAD_MAN = "300"
pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]

ECHO = """
import socket, threading
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("", 7000))
def hear():
    while True:
        print("heard", datagrams.recv(100).decode(), flush=True)
threading.Thread(target=hear, daemon=True).start()
server = socket.create_server(("", 7000))
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    def echo(connection=connection):
        while data := connection.recv(100):
            connection.sendall(data)
    threading.Thread(target=echo, daemon=True).start()
"""
TALK = """
import json, socket, sys, time
name, address = sys.argv[1:]
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connection = socket.create_connection((address, 7000), timeout=5)
connection.settimeout(0.4)
number = 0
while True:
    number += 1
    try:
        datagrams.sendto(f"{name} {number}".encode(), (address, 7000))
        connection.sendall(b"x")
        said = "answered" if connection.recv(100) else "closed"
    except TimeoutError:
        said = "silent"
    print(json.dumps({"at": time.time(), "said": said}), flush=True)
    time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def healed(kubectl):
    """Begin and end on a lab without faults."""
    assert status()["faults"] == []
    wait_all_ready(kubectl, READY_SECONDS)
    yield
    lab("heal")
    wait_all_ready(kubectl, READY_SECONDS)


@pytest.fixture
def talkers(kubectl, scratch):
    """Two pods in each of two zones: one echoes, the other talks to the other zone's over one connection."""

    def run(name: str, zone: str, *arguments: str) -> None:
        spec = {"image": worker_image(kubectl)}
        pod = restricted_pod(name, ["python3", "-c", *arguments], container=spec, nodeName=node_in(zone).name)
        pod["metadata"]["namespace"] = scratch
        kubectl.apply(pod)

    for zone in (HIT, ELSEWHERE):
        run(f"echo-{zone}", zone, ECHO)
    for zone in (HIT, ELSEWHERE):
        echo = f"echo-{zone}"
        wait_until(lambda echo=echo: "listening" in log(kubectl, scratch, echo), f"{echo} listens")
    for zone, other in ((HIT, ELSEWHERE), (ELSEWHERE, HIT)):
        address = kubectl.get("pod", f"echo-{other}", "-n", scratch)["status"]["podIP"]
        run(f"talk-{zone}", zone, TALK, f"from-{zone}", address)
        wait_until(lambda zone=zone: "answered" in log(kubectl, scratch, f"talk-{zone}"), f"{zone} talks")
    yield scratch
    lab("heal")
    kubectl.run("delete", "pods", "--all", "-n", scratch, "--wait=true", "--timeout=60s")


def log(kubectl, namespace: str, name: str) -> str:
    return kubectl.try_run("logs", name, "-n", namespace).stdout


def said(kubectl, namespace: str, zone: str, since: float, until: float) -> set[str]:
    lines = map(json.loads, log(kubectl, namespace, f"talk-{zone}").splitlines())
    return {line["said"] for line in lines if since < line["at"] <= until}


def heard(kubectl, namespace: str, zone: str) -> int:
    """Return how many datagrams the pod of a zone has received."""
    return log(kubectl, namespace, f"echo-{zone}").count("heard")


def status() -> dict:
    """Return the lab's status, whether or not it counts as up."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", "status", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout
    return done.stderr


def faults() -> list[str]:
    return [fault["fault"] for fault in status()["faults"]]


def test_a_silent_zone_is_cut_off_with_its_established_connections(kubectl, talkers, capsys):
    start = time.time()
    effect = lab("silence", HIT, "--for", DEAD_MAN)
    took = time.time() - start
    assert faults() == [f"silence {HIT}"]
    before = heard(kubectl, talkers, ELSEWHERE)
    time.sleep(5)
    now = time.time()
    assert said(kubectl, talkers, ELSEWHERE, effect["since"] + 0.5, now) == {"silent"}
    assert heard(kubectl, talkers, ELSEWHERE) == before
    node = node_in(HIT).name
    wait_until(lambda: ready(kubectl, node) != "True", "Kubernetes misses the node", 60)

    healing = time.time()
    assert lab("heal")["healed"] == [f"silence {HIT}"]
    healed_after = time.time() - healing
    wait_until(
        lambda: said(kubectl, talkers, ELSEWHERE, healing, time.time()) >= {"answered"}, "it answers again"
    )
    assert said(kubectl, talkers, HIT, effect["since"] + 0.5, healing) == {"silent"}
    assert ready(kubectl, node) == "True"
    report(capsys, "silence", seconds_to_prove=round(took, 2), seconds_to_heal=round(healed_after, 1))


def ready(kubectl, node: str) -> str:
    conditions = kubectl.get("node", node)["status"]["conditions"]
    return next(c["status"] for c in conditions if c["type"] == "Ready")


def test_a_partition_in_one_direction_leaves_the_other_open(kubectl, talkers):
    effect = lab("silence", HIT, "--toward", ELSEWHERE, "--for", DEAD_MAN)
    assert faults() == [f"silence {HIT} toward {ELSEWHERE}"]
    deaf, hearing = heard(kubectl, talkers, ELSEWHERE), heard(kubectl, talkers, HIT)
    time.sleep(25)  # longer than Kubernetes' grace for a node that does not report

    assert heard(kubectl, talkers, ELSEWHERE) == deaf
    assert heard(kubectl, talkers, HIT) > hearing + 10
    for zone in (HIT, ELSEWHERE):  # neither gets answers: a connection needs both directions
        assert said(kubectl, talkers, zone, effect["since"] + 0.5, time.time()) == {"silent"}
    assert ready(kubectl, node_in(HIT).name) == ready(kubectl, node_in(ELSEWHERE).name) == "True"

    lab("heal", HIT)
    assert faults() == []
    wait_until(lambda: heard(kubectl, talkers, ELSEWHERE) > deaf, "the direction is open again")


def test_a_frozen_node_takes_connections_and_answers_nothing(kubectl, talkers):
    effect = lab("freeze", node_in(HIT).name, "--for", DEAD_MAN)
    assert faults() == [f"freeze {HIT}"]
    time.sleep(3)
    healing = time.time()
    assert said(kubectl, talkers, ELSEWHERE, effect["since"] + 0.5, healing) == {"silent"}
    again = lab("freeze", node_in(HIT).name, "--for", DEAD_MAN)
    assert "processes stand still" in again["proof"]

    lab("heal", HIT)
    # It stood still all the time: between two of its own lines lies the whole freeze.
    lines = [json.loads(line)["at"] for line in log(kubectl, talkers, f"talk-{HIT}").splitlines()]
    assert (
        max(later - earlier for earlier, later in itertools.pairwise(lines)) > healing - effect["since"] - 0.5
    )
    wait_until(
        lambda: said(kubectl, talkers, ELSEWHERE, healing, time.time()) >= {"answered"}, "it answers again"
    )


def test_a_stopped_api_server_refuses_and_pods_talk_on(kubectl, talkers, capsys):
    effect = lab("stop", "api", "--for", DEAD_MAN)
    assert "refuses" in effect["proof"]
    assert (status()["api"], faults()) == ("not ready", ["stop-api"])
    assert "refused" in kubectl.try_run("get", "nodes").stderr
    time.sleep(5)
    healing = time.time()

    assert lab("heal", "api")["healed"] == ["stop-api"]

    took = time.time() - healing
    assert said(kubectl, talkers, ELSEWHERE, effect["since"], healing) == {"answered"}
    report(capsys, "stop-api", seconds_to_heal=round(took, 1))


def test_a_fault_heals_by_itself_when_its_caller_is_gone():
    """The command ends as soon as the fault is in effect: nobody is left to ask for its end."""
    for command in (["silence", HIT], ["freeze", node_in(THIRD).name], ["stop", "api"]):
        effect = lab(*command, "--for", "4")
        assert effect["since"] - 2 < effect["heals_at"] < effect["since"] + 5
    assert set(faults()) <= {f"silence {HIT}", f"freeze {THIRD}", "stop-api"}

    wait_until(lambda: faults() == [], "all have healed by themselves", 60)
    wait_until(lambda: status()["is_up"], "the lab is whole", 120)


def test_heal_undoes_every_fault_at_once():
    lab("silence", HIT)
    lab("silence", ELSEWHERE, "--toward", THIRD)
    lab("freeze", node_in(THIRD).name)
    lab("stop", "api")
    assert sorted(faults()) == sorted(
        ["stop-api", f"silence {HIT}", f"silence {ELSEWHERE} toward {THIRD}", f"freeze {THIRD}"]
    )

    lab("heal")

    assert faults() == []
    assert status()["is_up"]


def test_what_cannot_be_is_refused_in_one_line():
    assert f"--toward: {HIT} is the zone itself; name another one" in refused("silence", HIT, "--toward", HIT)
    lab("power-off", HIT, "--for", DEAD_MAN)
    line = f"lab: {HIT} is off: power it on first (python -m lab power-on {HIT})\n"
    for command in (["silence", HIT], ["silence", ELSEWHERE, "--toward", HIT], ["freeze", node_in(HIT).name]):
        assert refused(*command) == line
    assert faults() == [f"power-off {HIT}"]


def test_a_frozen_zone_can_lose_its_power(kubectl):
    lab("freeze", node_in(HIT).name, "--for", DEAD_MAN)
    lab("silence", HIT, "--for", DEAD_MAN)
    lab("power-off", HIT, "--for", DEAD_MAN)

    lab("power-on", HIT)

    assert faults() == []
    assert ready(kubectl, node_in(HIT).name) == "True"
