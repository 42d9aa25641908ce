import itertools
import json
import os
import secrets
import subprocess
import time

import pytest

from lab.cluster import machine, silence
from lab.cluster.layout import CONTROL, NODES, Machine, Node
from tests.lab.cluster.support import wait_until

A, B, C = NODES
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def test_a_table_says_who_is_silent():
    table = silence.render([(C, None), (A, B)])

    assert table == (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
        "-A FORWARD -i rf-node-a -o rf-node-b -j DROP\n"
        "-A FORWARD -i rf-node-c -j DROP\n"
        "-A FORWARD -o rf-node-c -j DROP\n"
        "-A INPUT -i rf-node-c -j DROP\n"
        "-A OUTPUT -o rf-node-c -j DROP\n"
    )
    assert silence.parse(table) == [(A, B), (C, None)]


def test_every_set_of_silences_is_read_back_as_it_was_written():
    every = [(node, other) for node in NODES for other in (None, *NODES) if node != other]
    for count in range(3):
        for wanted in itertools.combinations(every, count):
            assert set(silence.parse(silence.render(wanted))) == set(wanted)


def test_half_a_silence_is_none():
    assert silence.parse("*filter\n-A INPUT -i rf-node-c -j DROP\n-A FORWARD -i rf-node-c -j DROP\n") == []


@pytest.fixture
def bridge(monkeypatch):
    """A bridge with two machines, in namespaces of this test's own."""
    tag = secrets.token_hex(2)
    control = Machine(f"t{tag}", 10)
    nodes = tuple(Node(f"{letter}{tag}", index, letter) for letter, index in (("x", 11), ("y", 12)))
    monkeypatch.setattr(silence, "CONTROL", control)
    monkeypatch.setattr(silence, "NODES", nodes)

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    try:
        ip("netns", "add", control.netns)
        ip("-n", control.netns, "link", "add", "bridge0", "type", "bridge", "forward_delay", "0")
        ip("-n", control.netns, "link", "set", "bridge0", "up")
        for node in nodes:
            ip("netns", "add", node.netns)
            ip(
                "link",
                "add",
                node.port,
                "netns",
                control.netns,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                node.netns,
            )
            ip("-n", control.netns, "link", "set", node.port, "master", "bridge0", "up")
            ip("-n", node.netns, "address", "add", f"{node.address}/24", "dev", "eth0")
            ip("-n", node.netns, "link", "set", "eth0", "up")
        for node, other in (nodes, nodes[::-1]):
            links = subprocess.check_output(["ip", "-n", other.netns, "-j", "link", "show", "eth0"])
            mac = json.loads(links)[0]["address"]
            ip(
                "-n",
                node.netns,
                "neigh",
                "replace",
                other.address,
                "lladdr",
                mac,
                "dev",
                "eth0",
                "nud",
                "permanent",
            )
        wait_until(lambda: hears(*nodes) and hears(*nodes[::-1]))  # links take a moment to come up
        yield nodes
    finally:
        for one in (*nodes, control):
            subprocess.run(["ip", "netns", "delete", one.netns], check=False)


SEND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", (sys.argv[1], 7000))
"""
HEAR = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
    listener.bind(("", 7000))
    print("listening", flush=True)
    input()  # by now it was sent
    listener.settimeout(0.3)
    try:
        print(listener.recv(1).decode())
    except TimeoutError:
        print("nothing")
"""


def inside(node, *command, **more):
    return subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{node.netns}", machine.PYTHON, "-I", "-c", *command], **more
    )


def hears(node, other) -> bool:
    """Tell whether a datagram of `other` arrives at `node`."""
    with inside(node, HEAR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdin is not None
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        with inside(other, SEND, node.address) as sender:
            assert sender.wait() == 0
        print(file=listener.stdin, flush=True)
        return listener.stdout.read() == "x\n"


@needs_root
def test_frames_are_dropped_both_ways_one_way_and_no_more(bridge):
    x, y = bridge
    silence.add((x, y))
    assert silence.active() == [(x, y)]
    assert (hears(x, y), hears(y, x)) == (True, False)
    assert silence.dropped((x, y)) >= 1  # neighbour discovery counts too

    silence.add((x, None))
    assert silence.active() == [(x, None), (x, y)]
    assert (hears(x, y), hears(y, x)) == (False, False)

    silence.remove([(x, None), (y, None)])
    assert silence.active() == [(x, y)]

    silence.remove([(x, y)])
    assert silence.active() == []
    assert (hears(x, y), hears(y, x)) == (True, True)


ECHO = """
import socket
server = socket.create_server(("", 7001))
print("listening", flush=True)
connection, _ = server.accept()
while data := connection.recv(1):
    connection.sendall(data)
"""
TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7001), timeout=5)
connection.settimeout(0.5)
for line in sys.stdin:
    connection.sendall(b"x")
    try:
        print(connection.recv(1).decode(), flush=True)
    except TimeoutError:
        print("silent", flush=True)
"""


@needs_root
def test_an_established_connection_is_cut_and_goes_on_afterwards(bridge):
    x, y = bridge
    with inside(y, ECHO, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        with inside(x, TALK, y.address, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            ask, told = client.stdin, client.stdout
            assert ask is not None
            assert told is not None

            def said() -> str:
                print(file=ask, flush=True)
                return told.readline().strip()

            assert said() == "x"
            silence.add((x, None))
            assert said() == "silent"
            silence.remove([(x, None)])
            deadline = time.monotonic() + 10
            while said() != "x":
                assert time.monotonic() < deadline
            ask.close()


def test_where_no_lab_is_nobody_is_silent(monkeypatch):
    monkeypatch.setattr(silence, "CONTROL", Machine(f"none-{CONTROL.index}-{secrets.token_hex(2)}", 10))

    assert silence.active() == []
