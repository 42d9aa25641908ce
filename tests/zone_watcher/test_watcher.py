"""Two real watchers on loopback against a fake API server, and a third zone that goes dark under them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.zone_watcher.support import FakeApi, Place, endpoint_slice
from zone_watcher.objects import WitnessSource
from zone_watcher.settings import Settings

ADDRESSES = {"zone-a": "127.0.0.2", "zone-b": "127.0.0.3", "zone-c": "127.0.0.4"}
WATCHERS = ("zone-a", "zone-b")
DEAD_AFTER_SECONDS = 2.0


class Scene:
    """Three zones: database and balancer in each, watchers in two, in the third a place that stands for one."""

    def __init__(self, fake: FakeApi, api_port: int, account: Path, stack: ExitStack) -> None:
        self.fake = fake
        self._stack = stack
        self.places = {zone: self._places(zone) for zone in ADDRESSES}
        ports = [place.port for place in self.places["zone-a"]]
        sources = ("zone-watcher", "postgres-r", "temporal-direct")
        kinds = ("watcher", "database", "balancer")
        pods = {zone: f"postgres-{number}" for number, zone in enumerate(ADDRESSES, 1)}
        fake.slices = [
            endpoint_slice(
                service, *((pods[zone], address, zone, True) for zone, address in ADDRESSES.items())
            )
            for service in sources
        ]
        self.settings = Settings(
            namespace="temporal",
            pod_ip="",
            listen=("", ports[0]),
            zones=tuple(ADDRESSES),
            database="postgres",
            witnesses=tuple(map(WitnessSource, kinds, sources, ports)),
            dead_after_seconds=DEAD_AFTER_SECONDS,
            cool_down_seconds=180.0,
            api_host="127.0.0.1",
            api_port=api_port,
            account=account,
        )
        for zone in WATCHERS:
            self._start(zone)

    def _places(self, zone: str) -> list[Place]:
        """Return places of the three kinds; ports are the same in every zone."""
        first = getattr(self, "places", None) or {}
        known = next(iter(first.values()), None) or _PORTS
        del known
        return [self._place(ADDRESSES[zone], port) for port in _PORTS[0 if zone not in WATCHERS else 1 :]]

    def _place(self, address: str, port: int) -> Place:
        place = Place(address, port)
        self._stack.callback(place.close)
        return place

    def _start(self, zone: str) -> None:
        raise NotImplementedError


_PORTS: list[int] = []
