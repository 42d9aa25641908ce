"""What gives up the PostgreSQL primary of a dark zone before Kubernetes does, with the rights that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from infra import names
from infra.components.placement import Placement
from infra.components.probes import http_probes
from infra.components.workload import FIELD_POD_IP, Mount, Workload, deploy_workload, headless_service
from infra.labels import labels
from infra.services import BALANCER_PORT, ZONE_WATCHER_PORT
from infra.settings.persistence import ZoneWatcher as WatcherSettings

_USER_ID = 10001
"""User of the image."""
_ACCOUNT_FOLDER = "/var/run/secrets/zone-watcher"
_NODE_LEASES = "kube-node-lease"
"""Namespace in which every Kubernetes keeps its nodes' signs of life."""
_COOL_DOWN_SECONDS = 60
"""Between two changes of the primary: longer than one takes with everything that follows, so that no second one is
decided on what the first has stirred up."""
_GRACE_SECONDS = 10
"""A round of looking takes a second."""

_RULES: Sequence[Mapping[str, Sequence[str]]] = (
    {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "delete"]},
    {"api_groups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    {
        "api_groups": ["postgresql.cnpg.io"],
        "resources": ["clusters"],
        "resource_names": [names.POSTGRES],
        "verbs": ["get"],
    },
)
"""What a watcher may do in the stack's namespace. A pod's name says nothing about what it is, so the right to delete
cannot be narrowed further; which one is deleted is decided in `zone_watcher.decision` and bound to its UID."""
_LEASE_RULES: Sequence[Mapping[str, Sequence[str]]] = (
    {"api_groups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
)


class ZoneWatcher(pulumi.ComponentResource):
    """One watcher in each zone."""

    def __init__(
        self,
        name: str,
        *,
        settings: WatcherSettings,
        image: str,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them.

        Args:
            name: Logical name.
            settings: How patient they are, and what they may use.
            image: Reference of their image.
            placement: Zones, one watcher in each.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:ZoneWatcher", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            names.ZONE_WATCHER,
            metadata=_metadata(placement.namespace),
            # Only pods that ask for a token get one.
            automount_service_account_token=False,
            opts=child,
        )
        granted = [
            *_grant(placement.namespace, placement.namespace, _RULES, child),
            *_grant(_NODE_LEASES, placement.namespace, _LEASE_RULES, child),
        ]
        headless_service(
            names.ZONE_WATCHER,
            placement,
            names.ZONE_WATCHER,
            {"http": ZONE_WATCHER_PORT},
            child,
            # A watcher finds its own zone, and so becomes ready, by its own endpoint.
            is_ready_only=False,
        )
        deploy_workload(
            Workload(
                name=names.ZONE_WATCHER,
                image=image,
                command=["python3", "-m", "zone_watcher"],
                user_id=_USER_ID,
                replicas=len(placement.zones),
                resources=settings.resources,
                probes=http_probes(ZONE_WATCHER_PORT, live="/healthz", ready="/readyz"),
                ports={"http": ZONE_WATCHER_PORT},
                grace_seconds=_GRACE_SECONDS,
                mounts=[Mount("account", _ACCOUNT_FOLDER, is_account=True)],
                variables=_variables(settings, placement),
                field_variables={"ZONE_WATCHER_POD_IP": FIELD_POD_IP},
                service_account=names.ZONE_WATCHER,
            ),
            placement,
            pulumi.ResourceOptions(parent=self, depends_on=[account, *granted]),
        )
        self.register_outputs({"name": names.ZONE_WATCHER, "replicas": len(placement.zones)})


def _variables(settings: WatcherSettings, placement: Placement) -> dict[str, str]:
    witnesses = {
        "watcher": (names.ZONE_WATCHER, ZONE_WATCHER_PORT),
        "database": (names.POSTGRES_INSTANCES, names.POSTGRES_PORT),
        "balancer": (names.DIRECT_SERVICE, BALANCER_PORT),
    }
    return {
        "ZONE_WATCHER_NAMESPACE": placement.namespace,
        "ZONE_WATCHER_LISTEN": f"0.0.0.0:{ZONE_WATCHER_PORT}",
        "ZONE_WATCHER_ZONES": ",".join(placement.zones),
        "ZONE_WATCHER_DATABASE": names.POSTGRES,
        "ZONE_WATCHER_WITNESSES": ",".join(
            f"{kind}={service}:{port}" for kind, (service, port) in witnesses.items()
        ),
        "ZONE_WATCHER_DEAD_AFTER_SECONDS": f"{settings.dead_after_seconds:g}",
        "ZONE_WATCHER_COOL_DOWN_SECONDS": str(_COOL_DOWN_SECONDS),
        "ZONE_WATCHER_ACCOUNT": _ACCOUNT_FOLDER,
    }


def _metadata(namespace: str, name: str = names.ZONE_WATCHER) -> ObjectMetaArgs:
    return ObjectMetaArgs(name=name, namespace=namespace, labels=labels(names.ZONE_WATCHER))


def _grant(
    namespace: str,
    owner: str,
    rules: Sequence[Mapping[str, Sequence[str]]],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Declare a Role in a namespace, and that the watchers of `owner` have it.

    In another namespace than theirs it is named after theirs: two stacks on one cluster must not share it.
    """
    name = names.ZONE_WATCHER if namespace == owner else f"{owner}-{names.ZONE_WATCHER}"
    logical = f"{names.ZONE_WATCHER}-{namespace}"
    role = Role(
        logical,
        metadata=_metadata(namespace, name),
        rules=[PolicyRuleArgs(**{key: list(value) for key, value in rule.items()}) for rule in rules],
        opts=opts,
    )
    binding = RoleBinding(
        logical,
        metadata=_metadata(namespace, name),
        role_ref=RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name=name),
        subjects=[SubjectArgs(kind="ServiceAccount", name=names.ZONE_WATCHER, namespace=owner)],
        opts=opts,
    )
    return [role, binding]
