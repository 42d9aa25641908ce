"""A zone without power is silent, as a dead one in a cloud is: what talks to it waits, and is told nothing."""

import json

import pytest

from lab.cluster.layout import node_in
from tests.live.conftest import lab, restricted_pod, wait_until
from tests.live.support import wait_all_ready

OFF, ELSEWHERE = "zone-c", "zone-a"
KUBELET_PORT, POD_PORT = 10250, 7000
ATTEMPT_SECONDS = 4
READY_SECONDS = 300
ASK = """
import json, socket, sys
answers = {}
for name, address in json.loads(sys.argv[1]).items():
    try:
        socket.create_connection(address, timeout=float(sys.argv[2])).close()
        answers[name] = "connected"
    except TimeoutError:
        answers[name] = "timeout"
    except OSError as error:
        answers[name] = str(error)
print(json.dumps(answers))
"""
"""A kernel's own ETIMEDOUT comes after minutes only, so a TimeoutError here is silence for the seconds given."""
LISTEN = f"import socket, time; s = socket.create_server(('', {POD_PORT})); print('listening', flush=True); time.sleep(3600)"


def worker_image(kubectl) -> str:
    """Return an image with Python that every node has."""
    images = [
        {name for image in node["status"]["images"] for name in image["names"]}
        for node in kubectl.get("nodes")["items"]
    ]
    common = sorted(set.intersection(*images))
    return next(name for name in common if name.startswith("lab.local/routerfleet-worker:"))


def run_python(kubectl, namespace: str, name: str, zone: str, *arguments: str) -> None:
    pod = restricted_pod(
        name, ["python3", "-c", *arguments], container={"image": worker_image(kubectl)}, nodeName=node_in(zone).name
    )  # fmt: skip
    pod["metadata"]["namespace"] = namespace
    kubectl.apply(pod)


def answers(kubectl, namespace: str, name: str, addresses: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Return how connecting to each address went from a pod in a zone that has power."""
    run_python(kubectl, namespace, name, ELSEWHERE, ASK, json.dumps(addresses), str(ATTEMPT_SECONDS))
    wait_until(
        lambda: kubectl.get("pod", name, "-n", namespace)["status"]["phase"] in ("Succeeded", "Failed"),
        f"{name} ends",
    )
    return json.loads(kubectl.run("logs", name, "-n", namespace))


@pytest.mark.failover
@pytest.mark.timeout(900)
def test_a_zone_without_power_neither_refuses_nor_is_unreachable(kubectl, scratch):
    wait_all_ready(kubectl, READY_SECONDS)
    run_python(kubectl, scratch, "listener", OFF, LISTEN)
    wait_until(
        lambda: "listening" in kubectl.try_run("logs", "listener", "-n", scratch).stdout,
        "the listener listens",
    )
    pod_address = kubectl.get("pod", "listener", "-n", scratch)["status"]["podIP"]
    addresses = {"node": (node_in(OFF).address, KUBELET_PORT), "pod": (pod_address, POD_PORT)}
    assert answers(kubectl, scratch, "before", addresses) == {"node": "connected", "pod": "connected"}

    lab("power-off", OFF, "--for", "60")
    try:
        during = answers(kubectl, scratch, "during", addresses)
    finally:
        lab("power-on", OFF)

    assert during == {"node": "timeout", "pod": "timeout"}
    kubectl.run("delete", "pods", "--all", "-n", scratch, "--wait=true", "--timeout=60s")
    wait_all_ready(kubectl, READY_SECONDS)
