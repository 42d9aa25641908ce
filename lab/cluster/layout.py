"""What the lab consists of: zones, machines, addresses and names. Pure data and arithmetic, no I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

CLUSTER_NAME = "routerfleet-lab"
"""Name of the kubeconfig's cluster and context; stacks name it to say where they belong."""

NODE_NETWORK = ipaddress.ip_network("172.30.0.0/24")
POD_NETWORK = ipaddress.ip_network("10.244.0.0/16")
SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")
DNS_ADDRESS = str(SERVICE_NETWORK[10])
API_SERVICE_ADDRESS = str(SERVICE_NETWORK[1])

HOST_LINK = "rf-host"
"""The one network device that the lab adds to the host."""
BRIDGE = "rf-bridge"
API_PORT = 6443


@dataclass(frozen=True)
class Machine:
    """One machine of the lab: a network namespace on the bridge, and a process tree of its own.

    Attributes:
        name: Host name; also the name of the machine's state folder.
        index: Last octet of its address on the node network, 2..254.
    """

    name: str
    index: int

    @property
    def address(self) -> str:
        """Address on the node network."""
        return str(NODE_NETWORK[self.index])

    @property
    def mac(self) -> str:
        """Fixed hardware address, so that neighbours can hold it permanently (locally administered range)."""
        return f"02:72:66:00:00:{self.index:02x}"

    @property
    def netns(self) -> str:
        """Name of its network namespace under /run/netns."""
        return f"rf-{self.name}"

    @property
    def port(self) -> str:
        """Name of its bridge port, in the control machine's namespace (15 characters at most)."""
        return f"rf-{self.name}"[:15]


@dataclass(frozen=True)
class Node(Machine):
    """A Kubernetes node, alone in its zone.

    Attributes:
        zone: Failure domain, the value of the label topology.kubernetes.io/zone.
    """

    zone: str

    @property
    def pod_network(self) -> str:
        """The /24 that this node gives its pods addresses from."""
        return str(list(POD_NETWORK.subnets(new_prefix=24))[self.index - 10])


CONTROL = Machine("control", 10)
"""Control plane and bridge: outside every zone, as a managed control plane is."""
OUTSIDE = Machine("outside", 20)
"""A host outside the cluster and its zones: the routers' side of the world."""
NODES = (
    Node("node-a", 11, "zone-a"),
    Node("node-b", 12, "zone-b"),
    Node("node-c", 13, "zone-c"),
)
HOST_ADDRESS = str(NODE_NETWORK[1])
API_URL = f"https://{CONTROL.address}:{API_PORT}"


def node_in(zone: str) -> Node:
    """Return the node of a zone.

    Raises:
        KeyError: No zone of that name; the message lists the zones.
    """
    for node in NODES:
        if zone in (node.zone, node.name):
            return node
    raise KeyError(f"zone: {zone!r} is not a zone of the lab; zones are {', '.join(n.zone for n in NODES)}")
