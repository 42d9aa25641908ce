"""What another machine of the lab gets to hear when it asks: the proof that a fault took effect, or is over.

A witness is a process in a machine's network namespace that connects to a TCP port of another machine and
says one line of HTTP. The servers asked here speak TLS only; they answer that with a refusal in plain text,
so any byte means that a process behind the port is at work.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial

from lab.cluster.layout import API_PORT, CONTROL, Machine
from lab.cluster.machine import PYTHON
from lab.errors import LabError

KUBELET_PORT = 10250
UNUSED_PORT = 1
"""On which no pod listens: its kernel refuses, and a refusal has come all the way and back."""
SECONDS = 1.0
"""How long a witness waits for the connection, and then for the answer. A kernel that is there answers a
connection attempt in microseconds, however busy its processes are."""
ASK = """
import socket, sys
said = "silent"
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:
        said = "hangs"
        connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        said = "answers" if connection.recv(1) else "hangs"
except TimeoutError:
    pass
except ConnectionError:
    said = "refuses"
except OSError as error:
    said = "unreachable: " + str(error)
print(said)
"""


class Answer(StrEnum):
    """What came of asking."""

    ANSWERS = "answers"
    """A process is at work."""
    HANGS = "hangs"
    """The kernel takes the connection, but no process answers on it."""
    REFUSES = "refuses"
    """The machine says that nobody listens."""
    SILENT = "silent"
    """Nothing comes back."""


def port(machine: Machine) -> int:
    """Return a port of the machine that something listens on whenever the machine works."""
    return API_PORT if machine == CONTROL else KUBELET_PORT


def ask(witness: Machine, about: Machine, seconds: float = SECONDS) -> Answer:
    """Have `witness` ask the machine `about` for an answer.

    Raises:
        LabError: The witness could not even ask, so it proves nothing.
    """
    return _ask(witness, about.name, about.address, port(about), seconds)


def _ask(witness: Machine, name: str, address: str, number: int, seconds: float) -> Answer:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{witness.netns}", PYTHON, "-I", "-c", ASK,
         address, str(number), str(seconds)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        return Answer(done.stdout.strip())
    except ValueError:
        problem = done.stdout.strip() or done.stderr.strip()
        raise LabError(f"{witness.name} could not ask {name}: {problem}") from None


def expect(witnesses: Sequence[Machine], about: Machine, wanted: Answer, seconds: float = SECONDS) -> str:
    """Have every witness ask; return in one line what they were all told.

    Raises:
        LabError: One was told something else.
    """
    return _expect(witnesses, about.name, about.address, port(about), wanted, seconds)


def expect_pod(witnesses: Sequence[Machine], address: str, wanted: Answer, seconds: float = SECONDS) -> str:
    """Have every witness ask a pod for a port that it does not listen on; return in one line what they were told.

    Raises:
        LabError: One was told something else, or could not ask.
    """
    return _expect(witnesses, address, address, UNUSED_PORT, wanted, seconds)


def _expect(
    witnesses: Sequence[Machine], name: str, address: str, number: int, wanted: Answer, seconds: float
) -> str:
    with ThreadPoolExecutor(max(1, len(witnesses))) as pool:
        ask_all = partial(_ask, name=name, address=address, number=number, seconds=seconds)
        told = list(pool.map(ask_all, witnesses))
    for witness, answer in zip(witnesses, told, strict=True):
        if answer != wanted:
            raise LabError(
                f"{name}: asked by {witness.name} it {_verb(answer)}, where it should be that it {_verb(wanted)}"
            )
    names = " and ".join(witness.name for witness in witnesses)
    return f"{name}:{number} {_verb(wanted)} for {names}"


def _verb(answer: Answer) -> str:
    return "is silent" if answer == Answer.SILENT else str(answer)
