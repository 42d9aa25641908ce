"""The configuration that all four Temporal services mount, as two ConfigMaps."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.labels import labels

SHARDS_ANNOTATION = "routerfleet/history-shards"
"""Annotation with which a live cluster tells how many history shards it was made with."""


class ServerConfig(pulumi.ComponentResource):
    """Static configuration, read at start, and dynamic configuration, read again every ten seconds."""

    resources: list[pulumi.Resource]
    """What the servers have to wait for."""
    static_text: str
    """The static configuration; servers restart when it changes."""

    def __init__(
        self,
        name: str,
        *,
        static: str,
        dynamic: str,
        history_shards: int,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare both.

        Args:
            name: Logical name.
            static: Text of the server's configuration template.
            dynamic: Text of the dynamic configuration.
            history_shards: Number of shards, noted on the object for the preflight check of the next update.
            placement: Their namespace.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:ServerConfig", name, None, opts)
        self.static_text = static
        child = pulumi.ResourceOptions(parent=self)
        self.resources = [
            ConfigMap(
                names.SERVER_CONFIG,
                metadata=ObjectMetaArgs(
                    name=names.SERVER_CONFIG,
                    namespace=placement.namespace,
                    labels=labels(names.SERVER_CONFIG),
                    annotations={SHARDS_ANNOTATION: str(history_shards)},
                ),
                data={names.SERVER_CONFIG_KEY: static},
                opts=child,
            ),
            ConfigMap(
                names.DYNAMIC_CONFIG,
                metadata=ObjectMetaArgs(
                    name=names.DYNAMIC_CONFIG,
                    namespace=placement.namespace,
                    labels=labels(names.DYNAMIC_CONFIG),
                ),
                data={names.DYNAMIC_CONFIG_KEY: dynamic},
                opts=child,
            ),
        ]
        self.register_outputs({"history_shards": history_shards})
