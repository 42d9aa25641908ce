"""The routers' network: one bridge in a namespace of its own, one namespace and link per router, one link of the host.

Nothing reaches outside: routers have routes to this network and, where there is one, to the cluster's; none
by default. Towards the cluster the host forwards, on the lab's own two devices only.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lab.cluster import layout as cluster
from lab.errors import LabError
from lab.routers.layout import BRIDGE, CORE, HOST_ADDRESS, HOST_LINK, NETWORK, PREFIX, Router

NAMESPACES = Path("/run/netns")
_HOST_PORT = "rr-host-port"
_SYSCTLS = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
"""A router forwards. FRR would otherwise write `no ip forwarding` into its configuration."""


def check_free() -> None:
    """Refuse to start where the routers' address range is somebody else's.

    Raises:
        LabError: Naming the range and the device that holds it.
    """
    for route in _ip_json("-4", "route", "show", "table", "all"):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == HOST_LINK:
            continue
        taken = ipaddress.ip_network(destination, strict=False)
        if taken.overlaps(NETWORK):
            raise LabError(
                f"address range {NETWORK}: the host already routes {taken} to {route.get('dev')}; "
                f"remove that route (ip route del {taken}) or use another machine"
            )


def ensure_core() -> None:
    """Make the bridge and the host's link; repair what is missing."""
    _ensure_netns(CORE)
    if not _has_link(BRIDGE, CORE):
        _run("ip", "-n", CORE, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
    _run("ip", "-n", CORE, "link", "set", BRIDGE, "up")
    if not _has_link(HOST_LINK):
        _run("ip", "link", "add", HOST_LINK, "type", "veth", "peer", "name", _HOST_PORT, "netns", CORE)
    _run("ip", "-n", CORE, "link", "set", _HOST_PORT, "master", BRIDGE, "up")
    _run("ip", "address", "replace", f"{HOST_ADDRESS}/{NETWORK.prefixlen}", "dev", HOST_LINK)
    _run("ip", "link", "set", HOST_LINK, "up")


def is_mounted() -> bool:
    """Tell whether the folder of namespaces is what `ip netns` makes of it on first use: a mount over itself.

    By the number of the mount, because such a mount is of the same device as its parent.
    """
    return NAMESPACES.is_dir() and _mount_of(NAMESPACES) != _mount_of(NAMESPACES.parent)


def _mount_of(folder: Path) -> str:
    opened = os.open(folder, os.O_PATH)
    try:
        lines = Path(f"/proc/self/fdinfo/{opened}").read_text().splitlines()
    finally:
        os.close(opened)
    return next(line for line in lines if line.startswith("mnt_id:"))


def has_namespace(router: Router) -> bool:
    """Tell whether the router's network namespace is there."""
    return (NAMESPACES / router.netns).exists()


def attach(router: Router, addresses: tuple[str, ...] = ()) -> None:
    """Make the router's namespace and link; repair what is missing.

    Args:
        router: Whose.
        addresses: Further addresses of the router itself, with their prefix lengths.
    """
    _ensure_netns(router.netns)
    if not _has_link("eth0", router.netns):
        if _has_link(router.port, CORE):
            _run("ip", "-n", CORE, "link", "delete", router.port)
        _run("ip", "link", "add", router.port, "netns", CORE, "type", "veth",
             "peer", "name", "eth0", "netns", router.netns)  # fmt: skip
    _run("ip", "-n", CORE, "link", "set", router.port, "master", BRIDGE, "up")
    _run(
        "ip", "-n", router.netns, "address", "replace", f"{router.address}/{NETWORK.prefixlen}", "dev", "eth0"
    )
    _run("ip", "-n", router.netns, "link", "set", "eth0", "up")
    for address in addresses:
        _run("ip", "-n", router.netns, "address", "replace", address, "dev", "lo")
    _run("nsenter", f"--net={NAMESPACES / router.netns}", "sysctl", "-qw", *_SYSCTLS)
    for network in (cluster.NODE_NETWORK, cluster.POD_NETWORK):
        _run("ip", "-n", router.netns, "route", "replace", str(network), "via", HOST_ADDRESS)


def join_cluster() -> bool:
    """Let the cluster's machines and pods reach the routers; tell whether there is a cluster.

    To be called again when the cluster has come up after the routers.
    """
    machines = [one for one in (*cluster.NODES, cluster.OUTSIDE) if (NAMESPACES / one.netns).exists()]
    if not machines or not _has_link(cluster.HOST_LINK) or not _has_link(HOST_LINK):
        return False
    for link in (cluster.HOST_LINK, HOST_LINK):
        # Of these devices alone, so it goes with them and makes no router of the host towards anybody else.
        _run("sysctl", "-qw", f"net.ipv4.conf.{link}.forwarding=1")
    for machine in machines:
        _run("ip", "-n", machine.netns, "route", "replace", str(NETWORK), "via", cluster.HOST_ADDRESS)
    return True


def detach(router: Router) -> None:
    """Remove the router's namespace and with it its link."""
    # The link first: the kernel takes a namespace's own devices away only some time after the namespace.
    if (NAMESPACES / CORE).exists() and _has_link(router.port, CORE):
        _run("ip", "-n", CORE, "link", "delete", router.port)
    if has_namespace(router):
        _run("ip", "netns", "delete", router.netns)


def remove_all() -> None:
    """Remove every namespace and link of the routers, also those of which no state is left."""
    _leave_cluster()
    if _has_link(HOST_LINK):
        _run("ip", "link", "delete", HOST_LINK)
    names = sorted(path.name for path in NAMESPACES.glob(f"{PREFIX}*"))
    if CORE in names:
        for port in _ip_json("link", "show", "master", BRIDGE, netns=CORE) if _has_link(BRIDGE, CORE) else []:
            _run("ip", "-n", CORE, "link", "delete", port["ifname"])
    for name in names:
        _run("ip", "netns", "delete", name)


def _leave_cluster() -> None:
    for machine in (*cluster.NODES, cluster.OUTSIDE):
        if (NAMESPACES / machine.netns).exists():
            command = ["ip", "-n", machine.netns, "route", "delete", str(NETWORK)]
            subprocess.run(command, capture_output=True, check=False)  # there may be none
    if _has_link(cluster.HOST_LINK):
        _run("sysctl", "-qw", f"net.ipv4.conf.{cluster.HOST_LINK}.forwarding=0")


def is_listening(netns: str, port: int) -> bool:
    """Tell whether something listens on a TCP port in a namespace."""
    command = ["nsenter", f"--net={NAMESPACES / netns}", "ss", "-Hltn", f"sport = :{port}"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0 and bool(done.stdout.strip())


def kernel_routes(router: Router) -> list[str]:
    """Return the destinations that the router's kernel has routes to."""
    with contextlib.suppress(subprocess.CalledProcessError):
        return [route["dst"] for route in _ip_json("-4", "route", "show", netns=router.netns)]
    return []


def _ensure_netns(name: str) -> None:
    if not (NAMESPACES / name).exists():
        _run("ip", "netns", "add", name)
    _run("ip", "-n", name, "link", "set", "lo", "up")


def _has_link(device: str, netns: str | None = None) -> bool:
    where = ["-n", netns] if netns else []
    command = ["ip", *where, "link", "show", device]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ip_json(*arguments: str, netns: str | None = None) -> list[dict[str, Any]]:
    where = ["-n", netns] if netns else []
    out = subprocess.run(["ip", "-j", *where, *arguments], capture_output=True, check=True, text=True).stdout
    return json.loads(out or "[]")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
