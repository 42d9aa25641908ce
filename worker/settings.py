"""The worker process's settings, read once from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from temporalio.common import WorkerDeploymentVersion

from worker.errors import UsageError
from worker.tenancy import SHARED_POOL

_GRACEFUL_SHUTDOWN_SECONDS_MAX = 3600
_DEPLOYMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
"""At most 63, as a label of Kubernetes. No dot or colon: with one of them Temporal joins it to the build id."""
_BUILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""What may be an image's tag may be a build id."""


@dataclass(frozen=True)
class Address:
    """A host and a port."""

    host: str
    port: int
    """0 (any free one) to 65535."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, key: str, value: str) -> Address:
        """Parse `host:port`.

        Raises:
            UsageError: When it is anything else; the message names the key.
        """
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdecimal() or int(port) > 65535:
            raise UsageError(f"{key}: {value!r} must be HOST:PORT, for example 0.0.0.0:8080")
        return cls(host, int(port))


@dataclass(frozen=True)
class WorkerSettings:
    """What one worker process needs to know. Connection settings are the SDK's own `TEMPORAL_*`."""

    tenants_file: Path
    """`ROUTERFLEET_TENANTS_FILE`: JSON as `worker.tenancy.TenantsFile` writes it. No default."""
    routers_url: str
    """`ROUTERFLEET_ROUTERS_URL`: base URL of the simulated routers' service. No default."""
    pool: str = SHARED_POOL
    """`ROUTERFLEET_POOL`: which worker pool this process belongs to. Default `shared`: every tenant without
    workers of its own; the name of a tenant with dedicated workers serves that tenant alone."""
    inventory_file: Path | None = None
    """`ROUTERFLEET_INVENTORY_FILE`: JSON as `worker.routers.inventory` reads it. Default none: simulated routers only."""
    credentials_folder: Path | None = None
    """`ROUTERFLEET_CREDENTIALS_FOLDER`: see `worker.routers.credentials`. Default none: no router can be logged in to."""
    version: WorkerDeploymentVersion | None = None
    """`ROUTERFLEET_DEPLOYMENT_NAME` and `ROUTERFLEET_BUILD_ID`, both or neither. A worker with a version gets work only when its build is the current one
    (`worker.serving.versioning`). One name per pool: a build is promoted when it polls all queues of its name. Default none."""
    health_address: Address = Address("0.0.0.0", 8080)  # noqa: S104 - a pod's probes come from its node
    """`ROUTERFLEET_HEALTH_ADDRESS`: where `/healthz` and `/readyz` answer. Default 0.0.0.0:8080."""
    metrics_address: Address = Address("0.0.0.0", 9090)  # noqa: S104 - scraped from another pod
    """`ROUTERFLEET_METRICS_ADDRESS`: where Prometheus scrapes `/metrics`. Default 0.0.0.0:9090."""
    graceful_shutdown_seconds: float = 30
    """`ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS`: how long running steps may take to end after SIGTERM, 0 to
    3600. Default 30: as long as the slowest call to a router. The pod's grace period must be longer."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> WorkerSettings:
        """Read the settings.

        Raises:
            UsageError: With one line per wrong value, all at once.
        """
        errors: list[str] = []

        def read(key: str, default: str | None = None) -> str:
            value = environment.get(key) or default
            if value is None:
                errors.append(f"{key}: not set; it has no default")
            return value or ""

        def address(key: str, default: Address) -> Address:
            try:
                return Address.parse(key, read(key, str(default)))
            except UsageError as error:
                errors.append(str(error))
                return default

        tenants_file = Path(read("ROUTERFLEET_TENANTS_FILE"))
        routers_url = read("ROUTERFLEET_ROUTERS_URL")
        if routers_url and not is_http_url(routers_url):
            errors.append(f"ROUTERFLEET_ROUTERS_URL: {routers_url!r} must be http://HOST:PORT")
        health_address = address("ROUTERFLEET_HEALTH_ADDRESS", cls.health_address)
        metrics_address = address("ROUTERFLEET_METRICS_ADDRESS", cls.metrics_address)
        seconds = read("ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS", str(cls.graceful_shutdown_seconds))
        if not _is_grace(seconds):
            errors.append(
                f"ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS: {seconds!r} must be a number of seconds"
                f" from 0 to {_GRACEFUL_SHUTDOWN_SECONDS_MAX}"
            )
        version = _version(environment, errors)
        if errors:
            raise UsageError("\n".join(errors))
        return cls(
            tenants_file=tenants_file,
            routers_url=routers_url,
            pool=read("ROUTERFLEET_POOL", cls.pool),
            inventory_file=_path(environment.get("ROUTERFLEET_INVENTORY_FILE")),
            credentials_folder=_path(environment.get("ROUTERFLEET_CREDENTIALS_FOLDER")),
            version=version,
            health_address=health_address,
            metrics_address=metrics_address,
            graceful_shutdown_seconds=float(seconds),
        )


def is_http_url(value: str) -> bool:
    """Return whether the value is an HTTP URL with a host."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _version(environment: Mapping[str, str], errors: list[str]) -> WorkerDeploymentVersion | None:
    """Return the version, if there is one; append what is wrong with it."""
    name = environment.get("ROUTERFLEET_DEPLOYMENT_NAME", "")
    build_id = environment.get("ROUTERFLEET_BUILD_ID", "")
    if not name and not build_id:
        return None
    if not _DEPLOYMENT_NAME.fullmatch(name):
        errors.append(
            f"ROUTERFLEET_DEPLOYMENT_NAME: {name!r} must be letters, digits, hyphens and underscores, at most 63,"
            " where ROUTERFLEET_BUILD_ID is set"
        )
    if not _BUILD_ID.fullmatch(build_id):
        errors.append(
            f"ROUTERFLEET_BUILD_ID: {build_id!r} must be letters, digits, dots, hyphens and underscores, at most 128,"
            " where ROUTERFLEET_DEPLOYMENT_NAME is set"
        )
    return WorkerDeploymentVersion(name, build_id)


def _is_grace(value: str) -> bool:
    try:
        return 0 <= float(value) <= _GRACEFUL_SHUTDOWN_SECONDS_MAX
    except ValueError:
        return False
