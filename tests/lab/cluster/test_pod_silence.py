import os
import secrets
import subprocess
from pathlib import Path

import pytest

from lab.cluster import pod_silence
from lab.cluster.layout import Node

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
POD, OTHER = "10.99.7.5", "10.99.8.6"


def test_what_is_silent_is_read_from_both_rules():
    both = "\n".join(f"-A {' '.join(rule)}" for rule in pod_silence.rules(POD))

    assert pod_silence.parse(f"*mangle\n{both}\nCOMMIT\n") == [POD]
    assert pod_silence.parse(both.splitlines()[0]) == []
    assert pod_silence.parse(both.replace(pod_silence.COMMENT, "somebody else's")) == []


@pytest.fixture
def node(monkeypatch):
    """A node that routes between two pods, in namespaces of this test's own."""
    tag = secrets.token_hex(2)
    node = Node(f"n{tag}", 10, "zone-t")
    monkeypatch.setattr(pod_silence, "NODES", (node,))
    pods = {POD: f"p{tag}", OTHER: f"q{tag}"}

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    try:
        ip("netns", "add", node.netns)
        for address, netns in pods.items():
            gateway = f"{address}4"
            ip("netns", "add", netns)
            ip("-n", node.netns, "link", "add", netns, "type", "veth", "peer", "name", "eth0", "netns", netns)
            ip("-n", node.netns, "address", "add", f"{gateway}/32", "dev", netns)
            ip("-n", node.netns, "link", "set", netns, "up")
            ip("-n", node.netns, "route", "add", f"{address}/32", "dev", netns)
            ip("-n", netns, "address", "add", f"{address}/32", "dev", "eth0")
            for link in ("eth0", "lo"):
                ip("-n", netns, "link", "set", link, "up")
            ip("-n", netns, "route", "add", f"{gateway}/32", "dev", "eth0")
            ip("-n", netns, "route", "add", "default", "via", gateway)
        forward = f"echo 1 > {Path('/proc/sys/net/ipv4/ip_forward')}"
        subprocess.run(["nsenter", f"--net=/run/netns/{node.netns}", "sh", "-c", forward], check=True)
        yield node, pods
    finally:
        for netns in (node.netns, *pods.values()):
            subprocess.run(["ip", "netns", "delete", netns], check=False, capture_output=True)


def hears(netns, address):
    """Tell whether a connection attempt to a closed port is refused, which takes a packet each way."""
    script = f"import socket\ntry: socket.create_connection(('{address}', 1), 0.5)\nexcept ConnectionRefusedError: print('heard')\nexcept TimeoutError: pass"
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{netns}", "python3", "-I", "-c", script],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout == "heard\n"


@needs_root
def test_a_silent_pod_hears_nobody_and_is_heard_by_nobody(node):
    where, pods = node
    assert hears(pods[OTHER], POD)
    assert hears(where.netns, POD)

    pod_silence.add((where, POD))

    assert pod_silence.active() == [(where, POD)]
    assert not hears(pods[OTHER], POD)
    assert not hears(where.netns, POD)
    assert not hears(pods[POD], OTHER)
    assert hears(where.netns, OTHER)
    assert pod_silence.dropped((where, POD)) > 0

    pod_silence.remove([(where, POD)])

    assert pod_silence.active() == []
    assert hears(pods[OTHER], POD)


@needs_root
def test_a_silence_may_be_begun_and_ended_twice(node):
    where, pods = node
    pod_silence.add((where, POD))
    pod_silence.add((where, POD))
    pod_silence.remove([(where, POD)])

    assert hears(pods[OTHER], POD)
    pod_silence.remove([(where, POD)])
