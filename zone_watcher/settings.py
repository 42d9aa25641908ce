"""The watcher's settings, read once from the environment. What they mean to people is in the stack's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zone_watcher.errors import WatcherError
from zone_watcher.objects import DATABASE, WATCHER, WitnessSource

PREFIX = "ZONE_WATCHER_"
ZONES_MIN = 3
"""With two, neither is a majority without the other."""


@dataclass(frozen=True)
class Settings:
    """What one watcher is told. Variables are the fields' names in capitals, after `ZONE_WATCHER_`."""

    namespace: str
    """Kubernetes namespace of the database and the watchers."""
    pod_ip: str
    """Own address, by which the watcher finds its own zone."""
    listen: tuple[str, int]
    """Address and port of its HTTP server."""
    zones: tuple[str, ...]
    """All zones of the stack, at least 3; comma separated."""
    database: str
    """Name of the CloudNativePG Cluster."""
    witnesses: tuple[WitnessSource, ...]
    """`KIND=SERVICE:PORT`, comma separated; kinds `watcher` and `database` among them."""
    dead_after_seconds: float
    """A zone that was silent this long to all others is dead. More than 0."""
    cool_down_seconds: float
    """At least this long between two changes of the primary."""
    api_host: str
    """`KUBERNETES_SERVICE_HOST`, which every pod has."""
    api_port: int
    """`KUBERNETES_SERVICE_PORT`."""
    account: Path
    """Folder with the account's token and the API server's authority."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        WatcherError: One is missing or wrong.
    """
    host, _, port = _text(environment, f"{PREFIX}LISTEN").rpartition(":")
    zones = tuple(_text(environment, f"{PREFIX}ZONES").split(","))
    if len(set(zones)) < ZONES_MIN:
        raise WatcherError(f"{PREFIX}ZONES: {','.join(zones)!r} must name at least {ZONES_MIN} zones")
    witnesses = tuple(_witness(item) for item in _text(environment, f"{PREFIX}WITNESSES").split(","))
    kinds = {item.kind for item in witnesses}
    if missing := {WATCHER, DATABASE} - kinds:
        raise WatcherError(f"{PREFIX}WITNESSES: kind {min(missing)!r} must be among {sorted(kinds)}")
    return Settings(
        namespace=_text(environment, f"{PREFIX}NAMESPACE"),
        pod_ip=_text(environment, f"{PREFIX}POD_IP"),
        listen=(host, _port(f"{PREFIX}LISTEN", port)),
        zones=zones,
        database=_text(environment, f"{PREFIX}DATABASE"),
        witnesses=witnesses,
        dead_after_seconds=_seconds(environment, f"{PREFIX}DEAD_AFTER_SECONDS"),
        cool_down_seconds=_seconds(environment, f"{PREFIX}COOL_DOWN_SECONDS"),
        api_host=_text(environment, "KUBERNETES_SERVICE_HOST"),
        api_port=_port("KUBERNETES_SERVICE_PORT", _text(environment, "KUBERNETES_SERVICE_PORT")),
        account=Path(_text(environment, f"{PREFIX}ACCOUNT")),
    )


def _text(environment: Mapping[str, str], key: str) -> str:
    if not (value := environment.get(key, "")):
        raise WatcherError(f"{key}: is missing")
    return value


def _seconds(environment: Mapping[str, str], key: str) -> float:
    text = _text(environment, key)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise WatcherError(f"{key}: {text!r} must be a number of seconds above 0")
    return value


def _port(key: str, text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise WatcherError(f"{key}: {text!r} must be a port, 0 to 65535")
    return int(text)


def _witness(text: str) -> WitnessSource:
    kind, _, place = text.partition("=")
    service, _, port = place.rpartition(":")
    if not kind or not service:
        raise WatcherError(f"{PREFIX}WITNESSES: {text!r} must be KIND=SERVICE:PORT")
    return WitnessSource(kind, service, _port(f"{PREFIX}WITNESSES", port))
