"""The lab's network: one bridge inside the control machine's namespace, one namespace and link per machine.

The host gets a single link and a few routes. Every neighbour entry is permanent: a machine whose link is
down is silent, as a dead one in a cloud is, where an unanswered ARP request would say "no route to host".
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import Any

from lab.cluster import silence
from lab.cluster.layout import (
    BRIDGE,
    CONTROL,
    HOST_ADDRESS,
    HOST_LINK,
    NODE_NETWORK,
    NODES,
    OUTSIDE,
    POD_NETWORK,
    SERVICE_NETWORK,
    Machine,
)
from lab.errors import LabError

HOST_MAC = "02:72:66:00:00:01"
MACHINES: tuple[Machine, ...] = (CONTROL, *NODES, OUTSIDE)


def check_free() -> None:
    """Refuse to start where the lab's address ranges or link name are somebody else's.

    Raises:
        LabError: Naming the range and the device or route that holds it.
    """
    for route in _ip_json("route", "show", "table", "all"):
        if route.get("dev") == HOST_LINK or route.get("dst") in ("default", None) or ":" in route["dst"]:
            continue
        if any(hop.get("dev") == HOST_LINK for hop in route.get("nexthops", [])):
            continue
        taken = ipaddress.ip_network(route["dst"], strict=False)
        for wanted in (NODE_NETWORK, POD_NETWORK, SERVICE_NETWORK):
            if taken.overlaps(wanted):
                raise LabError(
                    f"address range {wanted}: the host already routes {taken} to {route.get('dev')}; "
                    f"remove that route (ip route del {taken}) or use another machine"
                )


def ensure_base() -> None:
    """Make the control machine's namespace with the bridge, and the host's link and routes."""
    _ensure_netns(CONTROL)
    if not _has_link(BRIDGE, CONTROL.netns):
        _ip(CONTROL, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        _ip(CONTROL, "link", "set", BRIDGE, "address", CONTROL.mac)
    _ip(CONTROL, "address", "replace", f"{CONTROL.address}/{NODE_NETWORK.prefixlen}", "dev", BRIDGE)
    _ip(CONTROL, "link", "set", BRIDGE, "up")
    if not _has_link(HOST_LINK):
        _run("ip", "link", "add", HOST_LINK, "address", HOST_MAC, "type", "veth",
             "peer", "name", "rf-host-port", "netns", CONTROL.netns)  # fmt: skip
    _ip(CONTROL, "link", "set", "rf-host-port", "master", BRIDGE, "up")
    _run("ip", "address", "replace", f"{HOST_ADDRESS}/{NODE_NETWORK.prefixlen}", "dev", HOST_LINK)
    _run("ip", "link", "set", HOST_LINK, "up")
    _neighbours(None, BRIDGE)
    route_host()


def attach(machine: Machine) -> None:
    """Make the machine's namespace and link, with fixed address, neighbours and routes; repair what is missing."""
    _ensure_netns(machine)
    if not _has_link("eth0", machine.netns):
        _run("ip", "link", "add", machine.port, "netns", CONTROL.netns, "type", "veth",
             "peer", "name", "eth0", "address", machine.mac, "netns", machine.netns)  # fmt: skip
    _ip(CONTROL, "link", "set", machine.port, "master", BRIDGE, "up")
    _ip(machine, "address", "replace", f"{machine.address}/{NODE_NETWORK.prefixlen}", "dev", "eth0")
    _ip(machine, "link", "set", "eth0", "up")
    _run("nsenter", f"--net=/run/netns/{machine.netns}", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    _neighbours(machine, "eth0")
    route_host()


def unplug(machine: Machine) -> None:
    """Take the machine's link down: nothing reaches it any more and nothing answers for it."""
    if _has_link(machine.port, CONTROL.netns):
        _ip(CONTROL, "link", "set", machine.port, "down")
    route_host()


def detach(machine: Machine) -> None:
    """Remove the machine's namespace and with it its link and everything in its kernel tables."""
    # The link first: the kernel takes a namespace's own devices away only some time after the namespace.
    if machine != CONTROL and _netns_exists(CONTROL) and _has_link(machine.port, CONTROL.netns):
        _ip(CONTROL, "link", "delete", machine.port)
    if _netns_exists(machine):
        _run("ip", "netns", "delete", machine.netns)


def remove_all() -> None:
    """Remove every namespace and link of the lab; routes go with the host's link."""
    for machine in (*NODES, OUTSIDE):
        detach(machine)
    if _has_link(HOST_LINK):
        _run("ip", "link", "delete", HOST_LINK)
    detach(CONTROL)


def is_plugged(machine: Machine) -> bool:
    """Tell whether the machine's bridge port is up."""
    if not _netns_exists(CONTROL) or not _has_link(machine.port, CONTROL.netns):
        return False
    (link,) = _ip_json("link", "show", machine.port, netns=CONTROL.netns)
    return "UP" in link["flags"]


def route_host() -> None:
    """Route pods by their node, and services over every node that is plugged in and not silent, as the host sees them."""
    silent = silence.active()
    up = [node for node in NODES if is_plugged(node) and (node, None) not in silent]
    for node in NODES:
        _run("ip", "route", "replace", node.pod_network, "via", node.address)
    if up:
        hops = [word for node in up for word in ("nexthop", "via", node.address)]
        _run("ip", "route", "replace", str(SERVICE_NETWORK), *hops)


def _neighbours(machine: Machine | None, device: str) -> None:
    """Write permanent neighbour entries and pod routes; None: the control machine and the host."""
    if machine is None:
        for other in MACHINES:
            _run(
                "ip",
                "neigh",
                "replace",
                other.address,
                "lladdr",
                other.mac,
                "dev",
                HOST_LINK,
                "nud",
                "permanent",
            )
        machine = CONTROL
    _ip(machine, "neigh", "replace", HOST_ADDRESS, "lladdr", HOST_MAC, "dev", device, "nud", "permanent")
    for other in MACHINES:
        if other != machine:
            _ip(
                machine,
                "neigh",
                "replace",
                other.address,
                "lladdr",
                other.mac,
                "dev",
                device,
                "nud",
                "permanent",
            )
    for node in NODES:
        if node != machine:
            _ip(machine, "route", "replace", node.pod_network, "via", node.address)


def _ensure_netns(machine: Machine) -> None:
    if not _netns_exists(machine):
        _run("ip", "netns", "add", machine.netns)
    _ip(machine, "link", "set", "lo", "up")


def _netns_exists(machine: Machine) -> bool:
    return Path("/run/netns", machine.netns).exists()


def _has_link(device: str, netns: str | None = None) -> bool:
    where = ["-n", netns] if netns else []
    return (
        subprocess.run(["ip", *where, "link", "show", device], capture_output=True, check=False).returncode
        == 0
    )


def _ip(machine: Machine, *arguments: str) -> None:
    _run("ip", "-n", machine.netns, *arguments)


def _ip_json(*arguments: str, netns: str | None = None) -> list[dict[str, Any]]:
    where = ["-n", netns] if netns else []
    out = subprocess.run(["ip", "-j", *where, *arguments], capture_output=True, check=True, text=True).stdout
    return json.loads(out or "[]")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
