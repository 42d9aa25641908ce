"""The server's dynamic configuration: drains that lose nothing, limits that follow the number of tenants."""

from __future__ import annotations

from collections.abc import Mapping

from infra.rendering.text import to_yaml
from infra.services import FRONTEND, HISTORY, MATCHING

_POLLERS_PER_TENANT = 30
"""Long polls of one tenant's queues, all worker pods together, with room for a rolling update."""

_POLLERS_DEFAULT = 1200
"""The server's own limit of concurrent polls per namespace, API and frontend (1.32)."""


def render_dynamic_config(tenants: int, overrides: Mapping[str, object]) -> str:
    """Render the dynamic configuration file.

    Args:
        tenants: Number of tenants, from which limits are derived.
        overrides: Key to value for the whole cluster, laid over the bundle's own.
    """
    values = {**default_values(tenants), **overrides}
    return to_yaml({key: [{"value": value}] for key, value in values.items()})


def default_values(tenants: int) -> dict[str, object]:
    """Return the bundle's own values by key."""
    return {
        "frontend.shutdownFailHealthCheckDuration": f"{FRONTEND.fail_health_seconds}s",
        "frontend.shutdownDrainDuration": f"{FRONTEND.drain_seconds}s",
        "history.alignMembershipChange": f"{HISTORY.align_seconds}s",
        "history.shutdownDrainDuration": f"{HISTORY.drain_seconds}s",
        # A pod that crashes at its start never takes shards.
        "history.startupMembershipJoinDelay": "5s",
        "matching.alignMembershipChange": f"{MATCHING.align_seconds}s",
        "matching.shutdownDrainDuration": f"{MATCHING.drain_seconds}s",
        # The default of 1200 broke between 300 and 1000 queues on one namespace (measured).
        "frontend.namespaceCount": max(_POLLERS_DEFAULT, tenants * _POLLERS_PER_TENANT),
        # One worker's poll every 10 s is the least a connection carries; SDK clients ping each 15 s.
        "frontend.keepAliveMinTime": "10s",
        # One partition keeps a small tenant's queue in order and halves the server's memory per queue (measured);
        # a tenant above some hundred tasks a second wants more.
        "matching.numTaskqueueReadPartitions": 1,
        "matching.numTaskqueueWritePartitions": 1,
    }
