"""What the routers' network consists of: names, addresses, AS numbers. Pure data and arithmetic, no I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from lab.cluster.layout import Machine

NETWORK = ipaddress.ip_network("172.31.0.0/24")
"""Management and peering are one network, as on a small customer site: a bad change can cut its own line."""
HOST_ADDRESS = str(NETWORK[1])
HOST_LINK = "rr-host"
"""The one network device that the routers add to the host."""
CORE = "rr-core"
"""Network namespace of the bridge between host and routers."""
BRIDGE = "rr-bridge"
PREFIX = "rr-"
"""How every network namespace and link of the routers begins."""

PROVIDER_AS = 64512
PROVIDER_PREFIXES = ("198.51.100.0/24", "203.0.113.0/24")
"""What the provider edge announces: networks for documentation (RFC 5737), so that they are nobody's."""
USER = "fleet"
"""Who logs in to configure a router."""
COUNT_MAX = 200


@dataclass(frozen=True)
class Router(Machine):
    """One router; `index` is the last octet of its address."""

    asn: int
    """Its AS number, of the private range (RFC 6996)."""
    tenant: str = ""
    """Whose it is; empty for the provider's."""
    site: str = ""

    @property
    def address(self) -> str:
        """Address on the routers' network."""
        return str(NETWORK[self.index])

    @property
    def netns(self) -> str:
        """Name of its network namespace under /run/netns."""
        return f"{PREFIX}{self.name}"

    @property
    def port(self) -> str:
        """Name of its bridge port (15 characters at most)."""
        return self.netns[:15]

    @property
    def own_network(self) -> str:
        """The network behind it, which is its tenant's own."""
        return f"10.61.{self.index}.0/24"

    @property
    def own_address(self) -> str:
        """Its address in that network, with the prefix length."""
        return f"10.61.{self.index}.1/24"


PROVIDER = Router("provider", 2, PROVIDER_AS)
_FIRST = (
    ("mad-1", "chogar", "madrid"),
    ("svq-1", "chogar", "sevilla"),
    ("bio-1", "amovil", "bilbao"),
    ("vlc-1", "afijo", "valencia"),
    ("zaz-1", "afijo", "zaragoza"),
    ("vgo-1", "afijo", "vigo"),
)


def customers(count: int) -> tuple[Router, ...]:
    """Return that many customers' routers: six named ones of three tenants, then the tenants in turn.

    Args:
        count: 1 to `COUNT_MAX`.
    """
    routers: list[Router] = []
    for number in range(count):
        name, tenant, site = _FIRST[number % len(_FIRST)]
        name = name if number < len(_FIRST) else f"r-{number + 1}"
        routers.append(Router(name, 11 + number, 65001 + number, tenant, site))
    return tuple(routers)
