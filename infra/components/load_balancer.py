"""HAProxy before the frontends, one pod per zone, and the two addresses that clients use."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.components.probes import http_probes
from infra.components.workload import Mount, Workload, deploy_workload, headless_service
from infra.labels import labels, selector
from infra.rendering.text import checksum
from infra.services import (
    BALANCER_DRAIN_SECONDS,
    BALANCER_GRACE_SECONDS,
    BALANCER_LEAVE_SECONDS,
    BALANCER_PORT,
    BALANCER_STATUS_PORT,
)
from infra.settings.temporal import BalancerService
from infra.settings.temporal import LoadBalancer as LoadBalancerSettings

_USER_ID = 99
_CONFIG_KEY = "haproxy.cfg"
_CONFIG_FOLDER = "/etc/routerfleet"

_STOP = (
    # New connections are welcome until every Service has forgotten this pod; then it finishes what is open.
    f"sleep {BALANCER_LEAVE_SECONDS}; kill -USR1 1; sleep {BALANCER_DRAIN_SECONDS}"
)

INTERNAL_ANNOTATIONS = {
    "networking.gke.io/load-balancer-type": "Internal",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
}
"""What asks the three large clouds for an address of the private network; each ignores the others'."""


class LoadBalancer(pulumi.ComponentResource):
    """What clients connect to."""

    resources: list[pulumi.Resource]
    """What clients have to wait for."""
    address: pulumi.Output[str]
    """Host and port that reaches any balancer pod, the near ones first."""

    def __init__(
        self,
        name: str,
        *,
        settings: LoadBalancerSettings,
        image: str,
        config: str,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: Logical name.
            settings: Replicas, resources, and how clients reach it.
            image: Reference of HAProxy's image.
            config: Text of haproxy.cfg.
            placement: Where its pods run.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:LoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        config_map = core.ConfigMap(
            names.BALANCER,
            metadata=ObjectMetaArgs(
                name=names.BALANCER, namespace=placement.namespace, labels=labels(names.BALANCER)
            ),
            data={_CONFIG_KEY: config},
            opts=child,
        )
        workload = Workload(
            name=names.BALANCER,
            image=image,
            command=["haproxy", "-db", "-f", f"{_CONFIG_FOLDER}/{_CONFIG_KEY}"],
            user_id=_USER_ID,
            replicas=settings.replicas,
            resources=settings.resources,
            probes=http_probes(BALANCER_STATUS_PORT, live="/healthz", ready="/readyz"),
            ports={"grpc": BALANCER_PORT, "status": BALANCER_STATUS_PORT},
            grace_seconds=BALANCER_GRACE_SECONDS,
            mounts=[Mount("config", _CONFIG_FOLDER, config_map=names.BALANCER)],
            pre_stop=["sh", "-c", _STOP],
            config_checksum=checksum(config),
        )
        after_config = pulumi.ResourceOptions(parent=self, depends_on=[config_map])
        deployment, budget = deploy_workload(workload, placement, after_config)
        direct = headless_service(
            names.DIRECT_SERVICE, placement, names.BALANCER, {"grpc": BALANCER_PORT}, child
        )
        service = _client_service(settings.service, placement, child)
        self.resources = [deployment, budget, direct, service]
        host = (
            service.status.apply(_cloud_host)
            if settings.service.type == "LoadBalancer"
            else _own_host(service)
        )
        self.address = pulumi.Output.format("{0}:{1}", host, BALANCER_PORT)
        self.register_outputs({"address": self.address, "replicas": settings.replicas})


def _client_service(
    settings: BalancerService, placement: Placement, opts: pulumi.ResourceOptions
) -> core.Service:
    is_cloud = settings.type == "LoadBalancer"
    # Only a cloud's address takes time; pods are awaited by their Deployment.
    await_rule = {} if is_cloud else {"pulumi.com/skipAwait": "true"}
    internal = INTERNAL_ANNOTATIONS if is_cloud and settings.is_internal else {}
    return core.Service(
        names.ADDRESS_SERVICE,
        metadata=ObjectMetaArgs(
            name=names.ADDRESS_SERVICE,
            namespace=placement.namespace,
            labels=labels(names.BALANCER),
            annotations={**internal, **settings.annotations, **await_rule},
        ),
        spec=core.ServiceSpecArgs(
            type=settings.type,
            selector=selector(names.BALANCER),
            # A client stays in its zone while a balancer there is ready: losing a zone then touches no other's.
            traffic_distribution="PreferClose",
            load_balancer_source_ranges=list(settings.source_ranges) or None,
            ports=[
                core.ServicePortArgs(
                    name="grpc",
                    port=BALANCER_PORT,
                    target_port="grpc",
                    protocol="TCP",
                    app_protocol="kubernetes.io/h2c",
                )
            ],
        ),
        opts=opts,
    )


def _cloud_host(status: core.outputs.ServiceStatus | None) -> str:
    """Return the address that the cloud gave: a name or an IP address."""
    ingress = status.load_balancer.ingress if status and status.load_balancer else None
    return str(ingress[0].hostname or ingress[0].ip) if ingress else "pending"


def _own_host(service: core.Service) -> pulumi.Output[str]:
    """Return the Service's address inside the cluster's network."""
    return service.spec.apply(lambda spec: str(spec.cluster_ip))
