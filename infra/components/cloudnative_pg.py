"""The CloudNativePG operator, from its pinned release manifest.

Every object of the manifest becomes a typed resource, so that tests and policies see it. Only the Deployment is
changed: two replicas over zones, our image reference, no CPU limit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import (
    MutatingWebhookConfiguration,
    ValidatingWebhookConfiguration,
)
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Service, ServiceAccount
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from infra.components.namespace import RESTRICTED
from infra.components.placement import Placement
from infra.images import PULL_POLICY
from infra.labels import NAME, ZONE

NAMESPACE = "cnpg-system"
"""Namespace of the operator, as its manifest has it."""

REPLICAS = 2
"""One works, one waits for the lease in another zone."""

_KINDS: Mapping[str, Callable[..., pulumi.Resource]] = {
    "Namespace": Namespace,
    "CustomResourceDefinition": CustomResourceDefinition,
    "ServiceAccount": ServiceAccount,
    "ClusterRole": ClusterRole,
    "ClusterRoleBinding": ClusterRoleBinding,
    "ConfigMap": ConfigMap,
    "Service": Service,
    "Deployment": Deployment,
    "MutatingWebhookConfiguration": MutatingWebhookConfiguration,
    "ValidatingWebhookConfiguration": ValidatingWebhookConfiguration,
}

_STAGES = (
    {"Namespace"},
    _KINDS.keys() - {"Namespace", "Deployment"},
    {"Deployment"},
)
"""Order of creation, and backwards of deletion. The operator writes its certificate into the webhooks when it
starts, and ends when they are not there; PostgreSQL clusters wait for it, and are gone before it goes."""

_LEADERSHIP = ("--leader-lease-duration=8", "--leader-renew-deadline=6")
"""Seconds until another replica leads when the leader's zone went dark, and until a leader that cannot renew steps
down. The defaults are 15 and 10, and that wait comes before every failover which the operator then decides."""

_PROTECTED_KINDS = {"Namespace", "CustomResourceDefinition"}


class CloudNativePg(pulumi.ComponentResource):
    """The operator, ready to take PostgreSQL clusters."""

    resources: list[pulumi.Resource]
    """Everything a PostgreSQL cluster has to wait for."""

    def __init__(
        self,
        name: str,
        *,
        manifest: Sequence[Mapping[str, Any]],
        image: str,
        placement: Placement,
        is_protected: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the operator.

        Args:
            name: Logical name.
            manifest: Objects of the release manifest.
            image: Reference of the operator's image.
            placement: Zones, tolerations and pull secrets; the namespace is the operator's own.
            is_protected: Whether deleting its namespace and definitions, and with them all data, is refused.
            opts: Options of the component.

        Raises:
            ValueError: When the manifest holds a kind that is not known here.
        """
        super().__init__("routerfleet:components:CloudNativePg", name, None, opts)
        objects = [adapt(document, image, placement) for document in manifest]
        if unknown := sorted({str(item["kind"]) for item in objects} - _KINDS.keys()):
            raise ValueError(f"the operator's manifest holds unknown kinds: {', '.join(unknown)}")
        self.resources = []
        for stage in _STAGES:
            earlier = list(self.resources)
            for item in objects:
                if item["kind"] in stage:
                    protect = is_protected and item["kind"] in _PROTECTED_KINDS
                    child = pulumi.ResourceOptions(parent=self, depends_on=earlier, protect=protect)
                    self.resources.append(_declare(name, item, child))
        self._declare_budget(name)
        self.register_outputs({"namespace": NAMESPACE, "replicas": REPLICAS})

    def _declare_budget(self, name: str) -> None:
        PodDisruptionBudget(
            name,
            metadata=ObjectMetaArgs(name=name, namespace=NAMESPACE),
            spec=PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels={NAME: "cloudnative-pg"}),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self.resources[:1]),
        )


def _declare(name: str, item: Mapping[str, Any], opts: pulumi.ResourceOptions) -> pulumi.Resource:
    arguments = {key: value for key, value in item.items() if key not in {"apiVersion", "kind", "status"}}
    arguments = {_ARGUMENTS.get(key, key): value for key, value in arguments.items()}
    logical = f"{name}-{item['kind'].lower()}-{item['metadata']['name']}"
    return _KINDS[item["kind"]](logical, **arguments, opts=opts)


_ARGUMENTS = {"roleRef": "role_ref", "aggregationRule": "aggregation_rule", "binaryData": "binary_data"}
"""Fields of an object that the SDK's constructors spell differently."""


def adapt(document: Mapping[str, Any], image: str, placement: Placement) -> dict[str, Any]:
    """Return an object of the manifest as this bundle wants it; most are returned as they are."""
    item = copy.deepcopy(dict(document))
    if item["kind"] == "Namespace":
        item["metadata"]["labels"] = {**item["metadata"].get("labels", {}), **RESTRICTED}
    if item["kind"] == "Service":
        # The Deployment's readiness is awaited, and it is all that stands behind this Service.
        item["metadata"].setdefault("annotations", {})["pulumi.com/skipAwait"] = "true"
    if item["kind"] == "Deployment":
        _adapt_deployment(item["spec"], image, placement)
    return item


def _adapt_deployment(spec: dict[str, Any], image: str, placement: Placement) -> None:
    pod = spec["template"]["spec"]
    match = spec["selector"]["matchLabels"]
    spec["replicas"] = REPLICAS
    pod["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": ZONE, "operator": "In", "values": list(placement.zones)}]}
                ]
            }
        }
    }
    pod["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "minDomains": REPLICAS,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": match},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
    pod["tolerations"] = [item.model_dump(exclude_none=True) for item in placement.tolerations]
    pod["imagePullSecrets"] = [{"name": name} for name in placement.pull_secrets]
    pod["enableServiceLinks"] = False
    container = pod["containers"][0]
    container |= {
        "image": image,
        "imagePullPolicy": PULL_POLICY,
        # 50m is what reconciling one cluster takes; a CPU limit would slow down the failover it decides.
        "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}, "limits": {"memory": "300Mi"}},
    }
    container["args"] = [*container.get("args", ()), *_LEADERSHIP]
    container["securityContext"]["runAsNonRoot"] = True
    for variable in container["env"]:
        if variable["name"] == "OPERATOR_IMAGE_NAME":
            # The instances' init containers copy the instance manager out of this image.
            variable["value"] = image
