"""A Kubernetes namespace that enforces the `restricted` Pod Security standard."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.labels import labels

RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
"""Labels with which the API server refuses pods that ask for privileges."""


class RestrictedNamespace(pulumi.ComponentResource):
    """Namespace of the bundle."""

    namespace: Namespace
    """The namespace itself, for others to depend on."""

    def __init__(
        self,
        name: str,
        *,
        is_drill_allowed: bool,
        is_protected: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the namespace.

        Args:
            name: Its name.
            is_drill_allowed: Whether failure drills may run in it.
            is_protected: Whether destroying it is refused.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:RestrictedNamespace", name, None, opts)
        drill = {"drill": "allowed"} if is_drill_allowed else {}
        self.namespace = Namespace(
            name,
            metadata=ObjectMetaArgs(name=name, labels={**labels(name), **RESTRICTED, **drill}),
            opts=pulumi.ResourceOptions(parent=self, protect=is_protected),
        )
        self.register_outputs({"name": name})
