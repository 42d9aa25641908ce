"""Silent zones: frames of a zone's machine are dropped on the bridge, which stands outside every machine.

The rules are those of the kernel's bridge filter in the control machine's namespace (`ebtables`, of the same
package as the iptables that kube-proxy uses), and match the bridge port that a frame comes in by and the one
that it would leave by. So they hold for everything behind the port: the machine, its pods, whatever address
a packet carries. They know no connections: what was established is cut like what is new, and there is no
connection tracking to flush, because no frame gets as far as a machine that tracks. Nothing on a node, not
even a privileged pod, can go round them; kube-proxy's rules live in other namespaces and never meet them.

The whole table is the lab's and is replaced at once, so two silences never see each other half done. What is
silent is read from the kernel, not from a file, so it is right whatever died meanwhile.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from lab.cluster.layout import CONTROL, NODES, Node
from lab.errors import LabError

Silence = tuple[Node, Node | None]
"""Whose packets are dropped, and the node that hears none of them; None: nobody hears it, nor it anybody."""


def active() -> list[Silence]:
    """Return what is silent now; nothing where there is no lab."""
    if not Path("/run/netns", CONTROL.netns).exists():
        return []
    return parse(_run("ebtables-nft-save"))


def add(silence: Silence) -> None:
    """Drop from now on."""
    _replace({*active(), silence})


def remove(silences: Collection[Silence]) -> None:
    """Drop no more; those that were not silent are left as they are."""
    before = set(active())
    if before & set(silences):
        _replace(before - set(silences))


def dropped(silence: Silence) -> int:
    """Return how many frames its rules have dropped so far."""
    node, toward = silence
    wanted = set(_rules(node, toward))
    count = 0
    for line in _run("ebtables-nft-save", "--counters").splitlines():
        counters, _, rule = line.partition("] ")
        if counters.startswith("[") and rule in wanted:
            count += int(counters[1:].split(":")[0])
    return count


def render(silences: Iterable[Silence]) -> str:
    """Return the filter table as `ebtables-restore` takes it."""
    rules = sorted({rule for node, toward in silences for rule in _rules(node, toward)})
    return "\n".join(["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", *rules, ""])


def parse(table: str) -> list[Silence]:
    """Return what a table, as `ebtables-save` prints it, makes silent."""
    rules = set(table.splitlines())
    pairs: list[Silence] = [(node, other) for node in NODES for other in (None, *NODES) if node != other]
    return [(node, toward) for node, toward in pairs if set(_rules(node, toward)) <= rules]


def _rules(node: Node, toward: Node | None) -> Iterator[str]:
    if toward is not None:
        yield f"-A FORWARD -i {node.port} -o {toward.port} -j DROP"
        return
    # INPUT and OUTPUT are the control machine's own traffic: the bridge is its device.
    yield f"-A INPUT -i {node.port} -j DROP"
    yield f"-A FORWARD -i {node.port} -j DROP"
    yield f"-A FORWARD -o {node.port} -j DROP"
    yield f"-A OUTPUT -o {node.port} -j DROP"


def _replace(silences: Collection[Silence]) -> None:
    _run("ebtables-nft-restore", stdin=render(silences))


def _run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{CONTROL.netns}", *command],
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
