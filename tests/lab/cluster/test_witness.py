import os
import secrets
import subprocess

import pytest

from lab.cluster import machine, witness
from lab.cluster.layout import CONTROL, Machine
from lab.cluster.witness import Answer
from lab.errors import LabError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
SERVE = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 10250))
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(100)
    connection.sendall(b"HTTP/1.0 400 Bad Request\\r\\n")
"""
LISTEN = SERVE.split("while")[0] + "time.sleep(60)"


@pytest.fixture
def one():
    """A machine that is nothing but a network namespace with its address; it is its own witness."""
    one = Machine(f"t{secrets.token_hex(2)}", 50)
    subprocess.run(["ip", "netns", "add", one.netns], check=True)
    try:
        subprocess.run(["ip", "-n", one.netns, "link", "set", "lo", "up"], check=True)
        subprocess.run(
            ["ip", "-n", one.netns, "address", "add", f"{one.address}/32", "dev", "lo"], check=True
        )
        yield one
    finally:
        subprocess.run(["ip", "netns", "delete", one.netns], check=True)


@pytest.fixture
def serve(one):
    started = []

    def serve(program):
        server = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{one.netns}", machine.PYTHON, "-I", "-c", program, one.address],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"

    yield serve
    for server in started:
        with server:
            server.kill()


def drop(one) -> None:
    subprocess.run(
        ["nsenter", f"--net=/run/netns/{one.netns}", "iptables", "-A", "INPUT", "-j", "DROP"], check=True
    )


def test_a_process_at_work_answers(one, serve):
    serve(SERVE)
    assert witness.ask(one, one, 5) == Answer.ANSWERS


def test_a_kernel_without_its_process_hangs(one, serve):
    serve(LISTEN)
    assert witness.ask(one, one, 0.3) == Answer.HANGS


def test_nobody_listening_refuses(one):
    assert witness.ask(one, one, 5) == Answer.REFUSES


def test_dropped_packets_are_silence(one, serve):
    serve(SERVE)
    drop(one)
    assert witness.ask(one, one, 0.3) == Answer.SILENT


def test_a_witness_that_is_told_otherwise_is_no_proof(one, serve):
    serve(SERVE)
    assert witness.expect([one], one, Answer.ANSWERS, 5) == f"{one.name}:10250 answers for {one.name}"
    with pytest.raises(
        LabError, match=f"asked by {one.name} it answers, where it should be that it is silent"
    ):
        witness.expect([one], one, Answer.SILENT, 5)


def test_one_that_cannot_ask_is_no_proof_either(one):
    with pytest.raises(
        LabError, match=rf"{one.name} could not ask control: unreachable: .*Network is unreachable"
    ):
        witness.ask(one, CONTROL, 0.3)
    with pytest.raises(LabError, match="none could not ask"):
        witness.ask(Machine("none", 51), one)
