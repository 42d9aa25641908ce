"""One Temporal service: its Deployment, its disruption budget, and a name for its pods."""

from __future__ import annotations

from pathlib import PurePosixPath

import pulumi

from infra import names
from infra.components.placement import Placement
from infra.components.probes import grpc_probes
from infra.components.workload import (
    FIELD_POD_IP,
    Mount,
    Workload,
    authority_mounts,
    deploy_workload,
    headless_service,
)
from infra.rendering.temporal_config import CONFIG_PATH, DYNAMIC_CONFIG_PATH
from infra.rendering.text import checksum
from infra.services import FRONTEND, HTTP_API_PORT, METRICS_PORT, TemporalServiceSpec
from infra.settings.temporal import Frontend, SystemWorker
from infra.sizing import go_memory_limit
from infra.stores import Stores

_USER_ID = 1000
_COMMAND = ("temporal-server", "--config-file", CONFIG_PATH, "--allow-no-auth", "start", "--service")


class TemporalService(pulumi.ComponentResource):
    """Frontend, history, matching or worker."""

    resources: list[pulumi.Resource]
    """What depends on the service has to wait for."""

    def __init__(
        self,
        spec: TemporalServiceSpec,
        *,
        settings: Frontend | SystemWorker,
        image: str,
        stores: Stores,
        static_config: str,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the service.

        Args:
            spec: Which of the four.
            settings: Replicas and resources.
            image: Reference of the server's image.
            stores: Where state is kept; gives the passwords' references.
            static_config: Text of the configuration that it reads at start.
            placement: Where its pods run.
            opts: Options of the component.
        """
        name = names.server(spec.name)
        super().__init__("routerfleet:components:TemporalService", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        ports = _ports(spec)
        service = headless_service(
            name,
            placement,
            name,
            ports,
            child,
            # The load balancer checks the pods itself and must know those that are not ready yet, or no longer.
            is_ready_only=False,
        )
        workload = Workload(
            name=name,
            image=image,
            command=[*_COMMAND, spec.name],
            user_id=_USER_ID,
            replicas=settings.replicas,
            resources=settings.resources,
            probes=grpc_probes(spec.grpc_port, spec.health_service),
            ports=ports,
            grace_seconds=spec.grace_seconds,
            mounts=_mounts(stores),
            variables={"GOMEMLIMIT": go_memory_limit(settings.resources.memory_limit)},
            field_variables={"POD_IP": FIELD_POD_IP},
            secret_variables={store.password_variable: store.password for store in stores.both()},
            config_checksum=checksum(static_config),
        )
        deployment, budget = deploy_workload(workload, placement, child)
        self.resources = [service, deployment, budget]
        self.register_outputs({"name": name, "replicas": settings.replicas})


def _ports(spec: TemporalServiceSpec) -> dict[str, int]:
    http = {"http": HTTP_API_PORT} if spec is FRONTEND else {}
    return {"grpc": spec.grpc_port, "membership": spec.membership_port, **http, "metrics": METRICS_PORT}


def _mounts(stores: Stores) -> list[Mount]:
    return [
        Mount("config", str(PurePosixPath(CONFIG_PATH).parent), config_map=names.SERVER_CONFIG),
        # A folder of its own: files under a sub-path never see a change.
        Mount("dynamic", str(PurePosixPath(DYNAMIC_CONFIG_PATH).parent), config_map=names.DYNAMIC_CONFIG),
        *authority_mounts(stores.both()),
    ]
