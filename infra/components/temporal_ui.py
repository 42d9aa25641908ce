"""Temporal's web interface."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.components.probes import http_probes
from infra.components.workload import Mount, Workload, deploy_workload
from infra.labels import labels, selector
from infra.rendering.text import checksum
from infra.services import UI_PORT
from infra.settings.temporal import Ui

_USER_ID = 5000
_CONFIG_FOLDER = "/etc/routerfleet"
_ENVIRONMENT = "cluster"
"""What the program calls the file it reads: `<environment>.yaml`."""
_GRACE_SECONDS = 30


class TemporalUi(pulumi.ComponentResource):
    """The web interface and its Service."""

    url: pulumi.Output[str]
    """Where to open it, from wherever the cluster's Service addresses are reachable."""

    def __init__(
        self,
        name: str,
        *,
        settings: Ui,
        image: str,
        config: pulumi.Input[str],
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it.

        Args:
            name: Logical name.
            settings: Replicas and resources.
            image: Reference of its image.
            config: Text of its configuration.
            placement: Where its pods run.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:TemporalUi", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = ObjectMetaArgs(
            name=names.UI,
            namespace=placement.namespace,
            labels=labels(names.UI),
            annotations={"pulumi.com/skipAwait": "true"},
        )
        config_map = core.ConfigMap(
            names.UI, metadata=metadata, data={f"{_ENVIRONMENT}.yaml": config}, opts=child
        )
        workload = _workload(settings, image, pulumi.Output.from_input(config).apply(checksum))
        deploy_workload(workload, placement, pulumi.ResourceOptions(parent=self, depends_on=[config_map]))
        service = _service(metadata, child)
        self.url = service.spec.apply(lambda spec: f"http://{spec.cluster_ip}:{UI_PORT}")
        self.register_outputs({"url": self.url})


def _workload(settings: Ui, image: str, config_checksum: pulumi.Output[str]) -> Workload:
    command = ["/home/ui-server/ui-server", "--root", "/", "--config", _CONFIG_FOLDER.lstrip("/")]
    return Workload(
        name=names.UI,
        image=image,
        command=[*command, "--env", _ENVIRONMENT, "start"],
        user_id=_USER_ID,
        replicas=settings.replicas,
        resources=settings.resources,
        probes=http_probes(UI_PORT, live="/healthz", ready="/healthz"),
        ports={"http": UI_PORT},
        grace_seconds=_GRACE_SECONDS,
        mounts=[Mount("config", _CONFIG_FOLDER, config_map=names.UI)],
        config_checksum=config_checksum,
    )


def _service(metadata: ObjectMetaArgs, opts: pulumi.ResourceOptions) -> core.Service:
    port = core.ServicePortArgs(name="http", port=UI_PORT, target_port="http", protocol="TCP")
    return core.Service(
        names.UI,
        metadata=metadata,
        spec=core.ServiceSpecArgs(type="ClusterIP", selector=selector(names.UI), ports=[port]),
        opts=opts,
    )
