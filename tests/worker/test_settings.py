"""Settings of the worker process: pure."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.common import WorkerDeploymentVersion

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
        inventory_file=None,
        credentials_folder=None,
        version=None,
    )


def test_everything_can_be_set() -> None:
    environment = {
        **REQUIRED,
        "ROUTERFLEET_POOL": "afijo",
        "ROUTERFLEET_HEALTH_ADDRESS": "127.0.0.1:1",
        "ROUTERFLEET_METRICS_ADDRESS": "127.0.0.1:2",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "1.5",
        "ROUTERFLEET_INVENTORY_FILE": "/etc/routers.json",
        "ROUTERFLEET_CREDENTIALS_FOLDER": "/etc/logins",
        "ROUTERFLEET_DEPLOYMENT_NAME": "workers-afijo",
        "ROUTERFLEET_BUILD_ID": "src-0.1",
    }

    settings = WorkerSettings.from_environment(environment)

    assert (settings.pool, str(settings.health_address), str(settings.metrics_address)) == (
        "afijo",
        "127.0.0.1:1",
        "127.0.0.1:2",
    )
    assert settings.graceful_shutdown_seconds == 1.5
    assert (settings.inventory_file, settings.credentials_folder) == (
        Path("/etc/routers.json"),
        Path("/etc/logins"),
    )
    assert settings.version == WorkerDeploymentVersion("workers-afijo", "src-0.1")


def test_every_error_is_reported_at_once() -> None:
    environment = {
        "ROUTERFLEET_ROUTERS_URL": "172.30.0.20",
        "ROUTERFLEET_HEALTH_ADDRESS": "8080",
        "ROUTERFLEET_METRICS_ADDRESS": "host:70000",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "nan",
        "ROUTERFLEET_DEPLOYMENT_NAME": "workers.shared",
    }

    with pytest.raises(UsageError) as caught:
        WorkerSettings.from_environment(environment)

    assert str(caught.value).splitlines() == [
        "ROUTERFLEET_TENANTS_FILE: not set; it has no default",
        "ROUTERFLEET_ROUTERS_URL: '172.30.0.20' must be http://HOST:PORT",
        "ROUTERFLEET_HEALTH_ADDRESS: '8080' must be HOST:PORT, for example 0.0.0.0:8080",
        "ROUTERFLEET_METRICS_ADDRESS: 'host:70000' must be HOST:PORT, for example 0.0.0.0:8080",
        "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS: 'nan' must be a number of seconds from 0 to 3600",
        (
            "ROUTERFLEET_DEPLOYMENT_NAME: 'workers.shared' must be letters, digits, hyphens and underscores, at most 63,"
            " where ROUTERFLEET_BUILD_ID is set"
        ),
        (
            "ROUTERFLEET_BUILD_ID: '' must be letters, digits, dots, hyphens and underscores, at most 128,"
            " where ROUTERFLEET_DEPLOYMENT_NAME is set"
        ),
    ]
