"""Whether a silent zone's nodes still renew their leases: a sign of life that takes another way, by the API server.

What counts is that a lease changed since the silence began, so nobody's clock is compared with anybody's. A kubelet
renews every 10 s: that none of a few seconds' silence saw a renewal proves nothing, one that it saw proves life.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from zone_watcher.errors import ApiError

Read = Callable[[str], str]
"""Returns what changes when the node of that name renews its lease; raises ApiError."""


class NodeLeases:
    """The leases of silent zones' nodes, as they were when the silence began."""

    def __init__(self) -> None:
        self._first: dict[str, dict[str, str]] = {}
        self._renewed: set[str] = set()

    def follow(
        self, silent: Collection[str], nodes: Mapping[str, Collection[str]], read: Read
    ) -> dict[str, bool | None]:
        """Return by silent zone whether a node renewed since its silence began; None: not known.

        Args:
            silent: Zones that are silent now. Of others everything is forgotten.
            nodes: Nodes by zone.
            read: Reads one node's lease.
        """
        self._first = {zone: first for zone, first in self._first.items() if zone in silent}
        self._renewed &= set(silent)
        return {zone: self._look(zone, nodes.get(zone, ()), read) for zone in silent}

    def _look(self, zone: str, nodes: Collection[str], read: Read) -> bool | None:
        if zone in self._renewed:
            return True
        try:
            now = {node: read(node) for node in nodes}
        except ApiError:
            return None
        first = self._first.setdefault(zone, now)
        if any(first.get(node, renewal) != renewal for node, renewal in now.items()):
            self._renewed.add(zone)
            return True
        # Nothing to read, or read for the first time only: no renewal can have been seen.
        return False if now and first is not now else None
