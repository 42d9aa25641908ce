"""A pool of workers that run the tenants' deployments."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import names
from infra.components.placement import Placement
from infra.components.probes import http_probes
from infra.components.worker_files import WorkerMounts
from infra.components.workload import Mount, Workload, deploy_workload
from infra.pools import Pool
from infra.services import METRICS_PORT, WORKER_HEALTH_PORT

USER_ID = 10001
"""Numeric user of the worker's image."""
TENANTS_FOLDER = "/etc/routerfleet"
"""Where the tenants file is mounted; a whole folder, so that a new tenant arrives without a restart."""

_GRACE_MARGIN_SECONDS = 15
"""What a worker needs beyond its own graceful shutdown, to say good-bye and exit."""


@dataclass(frozen=True)
class WorkerEnvironment:
    """What every process of the worker's image is told."""

    temporal_address: str
    """Host and port of Temporal; a name with several addresses is balanced by the client."""
    temporal_namespace: str
    """Temporal namespace of the shared tenants."""
    routers_url: str
    """Base URL of the routers' service."""
    graceful_shutdown_seconds: int
    """How long running activities may finish."""

    def variables(self) -> dict[str, str]:
        """Return it as environment variables."""
        return {
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": self.temporal_namespace,
            "ROUTERFLEET_TENANTS_FILE": f"{TENANTS_FOLDER}/{names.TENANTS_KEY}",
            "ROUTERFLEET_ROUTERS_URL": self.routers_url,
            "ROUTERFLEET_HEALTH_ADDRESS": f"0.0.0.0:{WORKER_HEALTH_PORT}",
            "ROUTERFLEET_METRICS_ADDRESS": f"0.0.0.0:{METRICS_PORT}",
            "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": str(self.graceful_shutdown_seconds),
        }


class WorkerPool(pulumi.ComponentResource):
    """Workers of one pool."""

    def __init__(
        self,
        pool: Pool,
        *,
        image: str,
        build_id: str | None,
        worker_environment: WorkerEnvironment,
        files: WorkerMounts,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the pool.

        Args:
            pool: The shared one, or that of a tenant with workers of its own.
            image: Reference of the worker's image.
            build_id: Under which it registers with Temporal; none where workers are not versioned.
            worker_environment: What its processes are told.
            files: What its pods mount besides the tenants file.
            placement: Where its pods run.
            opts: Options of the component.
        """
        name = names.pool(pool.name)
        super().__init__("routerfleet:components:WorkerPool", name, None, opts)
        version = {"ROUTERFLEET_DEPLOYMENT_NAME": name, "ROUTERFLEET_BUILD_ID": build_id} if build_id else {}
        workload = Workload(
            name=name,
            image=image,
            command=["python3", "-m", "worker"],
            user_id=USER_ID,
            replicas=pool.replicas,
            resources=pool.resources,
            probes=http_probes(WORKER_HEALTH_PORT, live="/healthz", ready="/readyz"),
            ports={"health": WORKER_HEALTH_PORT, "metrics": METRICS_PORT},
            grace_seconds=worker_environment.graceful_shutdown_seconds + _GRACE_MARGIN_SECONDS,
            mounts=[
                Mount("tenants", TENANTS_FOLDER, config_map=names.TENANTS),
                Mount("tmp", "/tmp"),  # noqa: S108  # inside a container, whose root is read-only
                *files.mounts(pool.credentials),
            ],
            variables={
                **worker_environment.variables(),
                "ROUTERFLEET_POOL": pool.name,
                **version,
                **files.variables(pool.credentials),
            },
            config_checksum=files.checksum,
        )
        deploy_workload(workload, placement, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"name": name, "replicas": pool.replicas})
