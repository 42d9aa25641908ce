"""The static configuration of the Temporal server: one text for all four services.

Rendered as the server's own template, so that passwords and the pod's address come from the environment and
stand in no object of ours.
"""

from __future__ import annotations

import re

from infra.rendering.text import to_yaml
from infra.services import FRONTEND, HTTP_API_PORT, METRICS_PORT, SERVICES, TemporalServiceSpec
from infra.stores import SqlStore, Stores

CONFIG_PATH = "/etc/temporal/config/server.yaml"
"""Where a server pod finds this configuration."""
DYNAMIC_CONFIG_PATH = "/etc/temporal/dynamic/dynamic.yaml"
"""Where a server pod finds the dynamic configuration, in a folder of its own so that changes arrive without a
restart."""

PLUGIN = "postgres12_pgx"
"""PostgreSQL driver; the only one whose simple protocol is tested upstream for transaction poolers."""

_CONNECT_TIMEOUT_SECONDS = 5
"""The driver has none by default, and a silent zone would hold a connection attempt for minutes."""


def render_temporal_config(stores: Stores, history_shards: int) -> str:
    """Render the server's configuration template.

    Args:
        stores: Where state is kept.
        history_shards: Number of history shards, fixed for the life of the cluster.
    """
    config = {
        "log": {"stdout": True, "level": "warn", "format": "json"},
        "persistence": {
            "numHistoryShards": history_shards,
            "defaultStore": "default",
            "visibilityStore": "visibility",
            "datastores": {store.name: {"sql": _sql(store)} for store in stores.both()},
        },
        "global": {
            "membership": {"maxJoinDuration": "30s", "broadcastAddress": _from_environment("POD_IP")},
            "metrics": _METRICS,
        },
        "services": {service.name: {"rpc": _rpc(service)} for service in SERVICES},
        "clusterMetadata": _CLUSTER_METADATA,
        "dcRedirectionPolicy": {"policy": "noop"},
        "archival": {"history": {"state": "disabled"}, "visibility": {"state": "disabled"}},
        # Empty on purpose: services then find the frontends through membership, which forgets a dead one in
        # seconds, and need no Service or balancer between themselves.
        "publicClient": {},
        "dynamicConfigClient": {"filepath": DYNAMIC_CONFIG_PATH, "pollInterval": "10s"},
    }
    return "# enable-template\n" + _PLACEHOLDER.sub(r'{{ env "\1" | quote }}', to_yaml(config))


_PLACEHOLDER = re.compile(r"__ENVIRONMENT_([A-Z_]+?)__")


def _from_environment(variable: str) -> str:
    """Return a marker that YAML leaves unquoted; the template expression that replaces it quotes by itself."""
    return f"__ENVIRONMENT_{variable}__"


_METRICS = {
    # The default framework rewrites label values: tenants `a-b` and `a_b` would be one.
    "prometheus": {"framework": "opentelemetry", "listenAddress": f"0.0.0.0:{METRICS_PORT}"},
    # Names as dashboards and Temporal's documentation spell them.
    "withoutUnitSuffix": True,
    "withoutCounterSuffix": True,
    "recordTimerInSeconds": True,
}

_CLUSTER_METADATA = {
    "enableGlobalNamespace": False,
    "failoverVersionIncrement": 10,
    "masterClusterName": "active",
    "currentClusterName": "active",
    "clusterInformation": {
        "active": {
            "enabled": True,
            "initialFailoverVersion": 1,
            "rpcName": "frontend",
            # Only a second cluster would dial it; there is none.
            "rpcAddress": f"127.0.0.1:{FRONTEND.grpc_port}",
        }
    },
}


def _rpc(service: TemporalServiceSpec) -> dict[str, object]:
    http = {"httpPort": HTTP_API_PORT} if service is FRONTEND else {}
    return {
        "grpcPort": service.grpc_port,
        "membershipPort": service.membership_port,
        "bindOnIP": "0.0.0.0",  # noqa: S104  # a pod's network namespace is its own; peers must reach it
        **http,
    }


def _sql(store: SqlStore) -> dict[str, object]:
    tls = {} if store.tls is None else {"tls": _tls(store)}
    return {
        "pluginName": PLUGIN,
        "databaseName": store.database,
        "connectAddr": store.address,
        "connectProtocol": "tcp",
        "user": store.user,
        "password": _from_environment(store.password_variable),
        "maxConns": store.max_connections,
        "maxIdleConns": store.max_connections,
        # After a failover the pool has moved on within this time even where no error told it to.
        "maxConnLifetime": "10m",
        "connectAttributes": connect_attributes(store),
        **tls,
    }


def connect_attributes(store: SqlStore) -> dict[str, str]:
    """Return what the driver is told besides the address."""
    attributes = {"connect_timeout": str(_CONNECT_TIMEOUT_SECONDS)}
    if store.is_transaction_pooled:
        # Prepared statements live on a server connection, and the pooler gives every transaction another one.
        attributes["default_query_exec_mode"] = "simple_protocol"
    return attributes


def _tls(store: SqlStore) -> dict[str, object]:
    assert store.tls is not None  # noqa: S101  # the caller's condition, repeated for the type checker
    rendered: dict[str, object] = {"enabled": True, "enableHostVerification": True}
    if store.tls.server_name:
        rendered["serverName"] = store.tls.server_name
    if store.tls.ca_secret:
        rendered["caFile"] = f"{store.ca_mount}/{store.tls.ca_secret.key}"
    return rendered
