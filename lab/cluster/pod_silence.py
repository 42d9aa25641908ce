"""Silent pods: every packet to and from a pod's address is dropped by the kernel of its node.

The pod's processes run on, its network is gone: also for kubelet, whose probes are packets like others. So a pod that
stays silent leaves its Services once its readiness probe has failed, and is started anew once its liveness probe has,
still silent: the rules hold for the address, until they are removed.

Pods hang on links of their own and everything to and from them is routed by the node (`node.cni_configuration`), so two
rules are enough: what comes from the address is dropped before routing, what goes to it after, when a Service's
address has become the pod's. They are told by their comment, and kube-proxy leaves what is not its own alone. What is
silent is read from the kernel, not from a file.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.cluster.layout import NODES, Node
from lab.errors import LabError

PodSilence = tuple[Node, str]
"""The node, and the pod's address."""

COMMENT = "routerfleet-silence"
_TABLE = ("-t", "mangle")
_SAVED = re.compile(rf"-A PREROUTING -s ([0-9.]+)/32 -m comment --comment {COMMENT} -j DROP")


def active() -> list[PodSilence]:
    """Return what is silent now; nothing where there is no lab."""
    return [
        (node, address)
        for node in NODES
        if Path("/run/netns", node.netns).exists()
        for address in parse(_run(node, "iptables-nft-save", *_TABLE))
    ]


def add(silence: PodSilence) -> None:
    """Drop from now on."""
    node, address = silence
    # Half of it may be there, left by a call that was cut short.
    remove([silence])
    for rule in rules(address):
        _run(node, "iptables-nft", "--wait", *_TABLE, "-A", *rule)


def remove(silences: Iterable[PodSilence]) -> None:
    """Drop no more; those that were not silent are left as they are."""
    for node, address in silences:
        saved = _run(node, "iptables-nft-save", *_TABLE).splitlines()
        for rule in rules(address):
            for _ in range(saved.count(f"-A {' '.join(rule)}")):
                _run(node, "iptables-nft", "--wait", *_TABLE, "-D", *rule)


def dropped(silence: PodSilence) -> int:
    """Return how many packets its rules have dropped so far."""
    node, address = silence
    wanted = {f"-A {' '.join(rule)}" for rule in rules(address)}
    count = 0
    for line in _run(node, "iptables-nft-save", "--counters", *_TABLE).splitlines():
        counters, _, rule = line.partition("] ")
        if counters.startswith("[") and rule in wanted:
            count += int(counters[1:].split(":")[0])
    return count


def parse(table: str) -> list[str]:
    """Return the addresses that a table, as `iptables-save` prints it, makes silent: those with both rules."""
    lines = set(table.splitlines())
    found = sorted({match.group(1) for line in lines if (match := _SAVED.fullmatch(line))})
    return [address for address in found if {f"-A {' '.join(rule)}" for rule in rules(address)} <= lines]


def rules(address: str) -> Iterator[list[str]]:
    """Return what is dropped, as `iptables` takes it and `iptables-save` prints it."""
    marked = ["-m", "comment", "--comment", COMMENT, "-j", "DROP"]
    yield ["PREROUTING", "-s", f"{address}/32", *marked]
    yield ["POSTROUTING", "-d", f"{address}/32", *marked]


def _run(node: Node, *command: str) -> str:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{node.netns}", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout
