"""Settings of the worker process: pure."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.errors import UsageError
from worker.settings import Address, WorkerSettings

REQUIRED = {
    "ROUTERFLEET_TENANTS_FILE": "/etc/routerfleet/tenants.json",
    "ROUTERFLEET_ROUTERS_URL": "http://172.30.0.20:8080",
}


def test_defaults() -> None:
    assert WorkerSettings.from_environment(REQUIRED) == WorkerSettings(
        tenants_file=Path("/etc/routerfleet/tenants.json"),
        routers_url="http://172.30.0.20:8080",
        pool="shared",
        health_address=Address("0.0.0.0", 8080),  # noqa: S104 - the value under test
        metrics_address=Address("0.0.0.0", 9090),  # noqa: S104 - the value under test
        graceful_shutdown_seconds=30.0,
    )


def test_everything_can_be_set() -> None:
    environment = {
        **REQUIRED,
        "ROUTERFLEET_POOL": "afijo",
        "ROUTERFLEET_HEALTH_ADDRESS": "127.0.0.1:1",
        "ROUTERFLEET_METRICS_ADDRESS": "127.0.0.1:2",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "1.5",
    }

    settings = WorkerSettings.from_environment(environment)

    assert (settings.pool, str(settings.health_address), str(settings.metrics_address)) == (
        "afijo",
        "127.0.0.1:1",
        "127.0.0.1:2",
    )
    assert settings.graceful_shutdown_seconds == 1.5


def test_every_error_is_reported_at_once() -> None:
    environment = {
        "ROUTERFLEET_ROUTERS_URL": "172.30.0.20",
        "ROUTERFLEET_HEALTH_ADDRESS": "8080",
        "ROUTERFLEET_METRICS_ADDRESS": "host:70000",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "nan",
    }

    with pytest.raises(UsageError) as caught:
        WorkerSettings.from_environment(environment)

    assert str(caught.value).splitlines() == [
        "ROUTERFLEET_TENANTS_FILE: not set; it has no default",
        "ROUTERFLEET_ROUTERS_URL: '172.30.0.20' must be http://HOST:PORT",
        "ROUTERFLEET_HEALTH_ADDRESS: '8080' must be HOST:PORT, for example 0.0.0.0:8080",
        "ROUTERFLEET_METRICS_ADDRESS: 'host:70000' must be HOST:PORT, for example 0.0.0.0:8080",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS: 'nan' must be a number of seconds from 0 to 3600",
    ]
