"""Where the codec server is reached: made before its pods, since the web interface and it must know each other."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.labels import labels, selector
from infra.services import CODEC_PORT


class CodecAddress(pulumi.ComponentResource):
    """The Service of the codec server. Inside the cluster only: whoever reaches it can have payloads decrypted."""

    url: pulumi.Output[str]
    """Its base URL, from wherever the cluster's Service addresses are reachable."""

    def __init__(
        self, name: str, *, placement: Placement, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare it.

        Args:
            name: Logical name.
            placement: Its namespace.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:CodecAddress", name, None, opts)
        service = core.Service(
            names.CODEC_SERVER,
            metadata=ObjectMetaArgs(
                name=names.CODEC_SERVER,
                namespace=placement.namespace,
                labels=labels(names.CODEC_SERVER),
                # Its pods come later, so waiting for them here would never end.
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=selector(names.CODEC_SERVER),
                ports=[
                    core.ServicePortArgs(name="http", port=CODEC_PORT, target_port="http", protocol="TCP")
                ],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = service.spec.apply(lambda spec: f"http://{spec.cluster_ip}:{CODEC_PORT}")
        self.register_outputs({"url": self.url})
