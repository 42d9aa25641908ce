from __future__ import annotations

from pathlib import Path

import pytest

from zone_watcher.errors import WatcherError
from zone_watcher.objects import WitnessSource
from zone_watcher.settings import Settings, from_environment

ENVIRONMENT = {
    "ZONE_WATCHER_NAMESPACE": "temporal",
    "ZONE_WATCHER_POD_IP": "10.1.2.3",
    "ZONE_WATCHER_LISTEN": "0.0.0.0:8082",
    "ZONE_WATCHER_ZONES": "a,b,c",
    "ZONE_WATCHER_DATABASE": "postgres",
    "ZONE_WATCHER_WITNESSES": "watcher=zone-watcher:8082,database=postgres-r:5432",
    "ZONE_WATCHER_DEAD_AFTER_SECONDS": "4",
    "ZONE_WATCHER_COOL_DOWN_SECONDS": "180",
    "ZONE_WATCHER_ACCOUNT": "/var/run/account",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_settings_are_what_the_environment_says() -> None:
    assert from_environment(ENVIRONMENT) == Settings(
        namespace="temporal",
        pod_ip="10.1.2.3",
        listen=("0.0.0.0", 8082),  # noqa: S104  # of the pod
        zones=("a", "b", "c"),
        database="postgres",
        witnesses=(
            WitnessSource("watcher", "zone-watcher", 8082),
            WitnessSource("database", "postgres-r", 5432),
        ),
        dead_after_seconds=4.0,
        cool_down_seconds=180.0,
        api_host="10.96.0.1",
        api_port=443,
        account=Path("/var/run/account"),
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ZONE_WATCHER_ZONES", "a,b,b", "ZONE_WATCHER_ZONES: 'a,b,b' must name at least 3 zones"),
        ("ZONE_WATCHER_NAMESPACE", "", "ZONE_WATCHER_NAMESPACE: is missing"),
        ("ZONE_WATCHER_LISTEN", "0.0.0.0:http", "ZONE_WATCHER_LISTEN: 'http' must be a port, 0 to 65535"),
        (
            "ZONE_WATCHER_WITNESSES",
            "watcher=zone-watcher:8082",
            "ZONE_WATCHER_WITNESSES: kind 'database' must be among ['watcher']",
        ),
        (
            "ZONE_WATCHER_WITNESSES",
            "watcher:8082",
            "ZONE_WATCHER_WITNESSES: 'watcher:8082' must be KIND=SERVICE:PORT",
        ),
        (
            "ZONE_WATCHER_DEAD_AFTER_SECONDS",
            "0",
            "ZONE_WATCHER_DEAD_AFTER_SECONDS: '0' must be a number of seconds above 0",
        ),
        (
            "ZONE_WATCHER_COOL_DOWN_SECONDS",
            "soon",
            "ZONE_WATCHER_COOL_DOWN_SECONDS: 'soon' must be a number of seconds above 0",
        ),
        ("KUBERNETES_SERVICE_PORT", "99999", "KUBERNETES_SERVICE_PORT: '99999' must be a port, 0 to 65535"),
    ],
)
def test_a_wrong_setting_is_one_line(key: str, value: str, message: str) -> None:
    with pytest.raises(WatcherError) as caught:
        from_environment(ENVIRONMENT | {key: value})

    assert str(caught.value) == message
