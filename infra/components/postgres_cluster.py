"""PostgreSQL by CloudNativePG: synchronous over zones, behind PgBouncer."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from infra import names
from infra.components.placement import DNS_OPTIONS, Placement
from infra.images import PULL_POLICY
from infra.labels import ZONE, labels
from infra.settings.persistence import Pooler, Postgres
from infra.settings.temporal import Resources

_API_VERSION = "postgresql.cnpg.io/v1"

_READY_TIMEOUT = "15m"
"""Three instances one after another: the second and third copy the first."""


class PostgresCluster(pulumi.ComponentResource):
    """A PostgreSQL cluster and its pooler."""

    resources: list[pulumi.Resource]
    """What Temporal has to wait for."""

    def __init__(
        self,
        name: str,
        *,
        settings: Postgres,
        image: str,
        pooler_image: str,
        storage_class: str | None,
        placement: Placement,
        is_protected: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the cluster and its pooler.

        Args:
            name: Logical name.
            settings: Size of both.
            image: Reference of PostgreSQL's image.
            pooler_image: Reference of PgBouncer's image.
            storage_class: Class of the volumes; none means the cluster's default.
            placement: Where the pods run.
            is_protected: Whether deleting the cluster, and with it the data, is refused.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:PostgresCluster", name, None, opts)
        cluster = CustomResource(
            names.POSTGRES,
            api_version=_API_VERSION,
            kind="Cluster",
            metadata=_metadata(names.POSTGRES, placement, {"pulumi.com/waitFor": "condition=Ready"}),
            spec=cluster_spec(settings, image, storage_class, placement),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=is_protected,
                custom_timeouts=pulumi.CustomTimeouts(create=_READY_TIMEOUT),
            ),
        )
        dependent = pulumi.ResourceOptions(parent=self, depends_on=[cluster])
        pooler = CustomResource(
            names.POOLER,
            api_version=_API_VERSION,
            kind="Pooler",
            metadata=_metadata(names.POOLER, placement),
            spec=pooler_spec(settings.pooler, pooler_image, placement),
            opts=dependent,
        )
        budget = PodDisruptionBudget(
            names.POOLER,
            metadata=_metadata(names.POOLER, placement),
            spec=PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels={"cnpg.io/poolerName": names.POOLER}),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=dependent,
        )
        self.resources = [cluster, pooler, budget]
        self.register_outputs({"instances": settings.instances, "pooler": names.POOLER})


def _metadata(name: str, placement: Placement, annotations: dict[str, str] | None = None) -> ObjectMetaArgs:
    # Deleted in the background: in the foreground the custom resource stays until what it owns is gone, and the
    # operator makes that anew for as long as the resource is there. Neither ever ends.
    background = {"pulumi.com/deletionPropagationPolicy": "background"}
    return ObjectMetaArgs(
        name=name,
        namespace=placement.namespace,
        labels=labels(name),
        annotations=background | (annotations or {}),
    )


def cluster_spec(
    settings: Postgres, image: str, storage_class: str | None, placement: Placement
) -> dict[str, Any]:
    """Return the `spec` of the PostgreSQL cluster."""
    storage = {"size": settings.storage_size} | ({"storageClass": storage_class} if storage_class else {})
    return {
        "description": "Temporal's default and visibility stores",
        "instances": settings.instances,
        "imageName": image,
        "imagePullPolicy": PULL_POLICY,
        **_without_empty({"imagePullSecrets": [{"name": name} for name in placement.pull_secrets]}),
        "storage": storage,
        "resources": _resources(settings.resources),
        "affinity": _affinity(placement),
        "bootstrap": {"initdb": _initdb()},
        "enableSuperuserAccess": False,
        # Clients reach it through poolers that hold their connections for ever: waiting for them to go (the
        # default is 180 s) only makes a switchover an outage.
        "smartShutdownTimeout": 1,
        "stopDelay": 60,
        "switchoverDelay": 30,
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        "postgresql": {
            # A commit is acknowledged once a standby, which is in another zone, has it on disk. Without one
            # writes stop: an acknowledged workflow must never be lost.
            "synchronous": {
                "method": "any",
                "number": 1,
                "dataDurability": "required",
                # A standby is only promoted when it provably has every acknowledged commit.
                "failoverQuorum": True,
            },
            "parameters": _parameters(settings),
        },
    }


def _initdb() -> dict[str, Any]:
    return {
        "database": names.DEFAULT_DATABASE,
        "owner": names.DATABASE_OWNER,
        "postInitSQL": [f"CREATE DATABASE {names.VISIBILITY_DATABASE} OWNER {names.DATABASE_OWNER}"],
    }


def _parameters(settings: Postgres) -> dict[str, str]:
    return {
        "max_connections": str(settings.max_connections),
        "shared_buffers": settings.shared_buffers,
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        # The server side of a client that a lost zone took with it.
        "tcp_user_timeout": "10s",
    }


def pooler_spec(settings: Pooler, image: str, placement: Placement) -> dict[str, Any]:
    """Return the `spec` of the pooler."""
    match = {"cnpg.io/poolerName": names.POOLER}
    return {
        "cluster": {"name": names.POSTGRES},
        "type": "rw",
        "instances": settings.instances,
        # A pooler in a dark zone stays among the endpoints until Kubernetes gives its node up, 40 s and more; whoever
        # goes to the one in its own zone has nothing to do with it. Without one there, any other serves.
        "serviceTemplate": {"spec": {"trafficDistribution": "PreferClose"}},
        "pgbouncer": {
            "poolMode": "transaction",
            "parameters": _pooler_parameters(settings),
        },
        "deploymentStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "template": {
            "metadata": {"labels": labels(names.POOLER)},
            "spec": {
                "affinity": _zones_only(placement),
                "enableServiceLinks": False,
                "dnsConfig": {
                    "options": [{"name": name, "value": value} for name, value in DNS_OPTIONS.items()]
                },
                # PgBouncer waits for its clients to leave, which pools never do: 162 s were measured with the
                # default of 180, all for nothing. Statements in flight end well within this.
                "terminationGracePeriodSeconds": 20,
                **_without_empty(
                    {
                        "imagePullSecrets": [{"name": name} for name in placement.pull_secrets],
                        "tolerations": _tolerations(placement),
                    }
                ),
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "minDomains": min(settings.instances, len(placement.zones)),
                        "topologyKey": ZONE,
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": match},
                        "matchLabelKeys": ["pod-template-hash"],
                    }
                ],
                "containers": [
                    {"name": "pgbouncer", "image": image, "resources": _resources(settings.resources)}
                ],
            },
        },
    }


def _pooler_parameters(settings: Pooler) -> dict[str, str]:
    return {
        "default_pool_size": str(settings.pool_size),
        "max_client_conn": str(settings.max_client_connections),
        # The default of 15 s would be added to every failover (seconds).
        # Nor may it be long: clients are rejected at once for as long, and history servers that meet that pause for seconds.
        "server_login_retry": "0.2",
        "server_connect_timeout": "3",
        # A primary that went silent holds its connections no longer than this (milliseconds).
        "tcp_user_timeout": "5000",
        "tcp_keepalive": "1",
        "tcp_keepidle": "5",
        "tcp_keepintvl": "2",
        "tcp_keepcnt": "3",
        # The address of the primary's Service never changes, but asking for it again needs a DNS server: with one in
        # a dark zone a pooler was without an address for 15 s (its default for a failed lookup) while the new primary
        # was waiting. Seconds.
        "dns_max_ttl": "600",
        "dns_nxdomain_ttl": "1",
        # A call that found no server by then fails, and Temporal tries again.
        "query_wait_timeout": "15",
        "ignore_startup_parameters": "extra_float_digits",
    }


def _resources(resources: Resources) -> dict[str, dict[str, str]]:
    return {
        "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
        "limits": {"memory": resources.memory_limit},
    }


def _affinity(placement: Placement) -> dict[str, Any]:
    return {
        "topologyKey": ZONE,
        # Required: two instances in one zone would be lost together.
        "podAntiAffinityType": "required",
        "enablePodAntiAffinity": True,
        **_without_empty({"tolerations": _tolerations(placement)}),
        **_zones_only(placement),
    }


def _tolerations(placement: Placement) -> list[dict[str, str]]:
    return [item.model_dump(exclude_none=True) for item in placement.tolerations]


def _without_empty(fields: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """Leave out empty lists: the operator takes an empty list for a change, and restarts the instance for ever."""
    return {key: value for key, value in fields.items() if value}


def _zones_only(placement: Placement) -> dict[str, Any]:
    expression = {"key": ZONE, "operator": "In", "values": list(placement.zones)}
    terms = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
