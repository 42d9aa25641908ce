"""The server's dynamic configuration: drains that lose nothing, limits that follow the number of queues."""

from __future__ import annotations

from collections.abc import Mapping

from infra.rendering.text import to_yaml
from infra.services import FRONTEND, HISTORY, MATCHING
from infra.sizing import WorkerLoad
from worker.tenancy import SHARED_QUEUE

_GROWTH = 2
"""Room in a limit that counts what has ever been registered, of which the server forgets only some."""

_POLLS = 1200
_QUEUES_IN_VERSION = 100
_QUEUES_IN_DEPLOYMENT = 1000
_DEPLOYMENTS = 100
"""The server's own limits: of concurrent polls per namespace, API and frontend, of queues in a worker deployment's
version and in the deployment, and of deployments in a namespace. Source: common/dynamicconfig/constants.go, 1.32."""


def render_dynamic_config(load: WorkerLoad, overrides: Mapping[str, object]) -> str:
    """Render the dynamic configuration file.

    Args:
        load: What the workers ask of the servers, from which limits are derived.
        overrides: Key to value for the whole cluster, laid over the bundle's own.
    """
    values = {**default_values(load), **overrides}
    entries: dict[str, list[dict[str, object]]] = {key: [{"value": value}] for key, value in values.items()}
    if load.shared_queue_namespace is not None:
        _for_shared_queue(entries, load.shared_queue_namespace)
    return to_yaml(entries)


def default_values(load: WorkerLoad) -> dict[str, object]:
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
        "frontend.namespaceCount": max(_POLLS, load.polls),
        # One worker's poll every 10 s is the least a connection carries; SDK clients ping each 15 s.
        "frontend.keepAliveMinTime": "10s",
        # One partition keeps a small tenant's queue in order and halves the server's memory per queue (measured);
        # a tenant above some hundred tasks a second wants more.
        "matching.numTaskqueueReadPartitions": 1,
        "matching.numTaskqueueWritePartitions": 1,
        **_deployment_limits(load),
    }


def _deployment_limits(load: WorkerLoad) -> dict[str, object]:
    """Return the limits of worker versioning that the server's own values would not hold."""
    if not load.deployments:
        return {}
    queues, deployments = load.queues * _GROWTH, load.deployments * _GROWTH
    limits = {
        "matching.maxTaskQueuesInDeploymentVersion": (queues, _QUEUES_IN_VERSION),
        "matching.maxTaskQueuesInDeployment": (queues, _QUEUES_IN_DEPLOYMENT),
        "matching.maxDeployments": (deployments, _DEPLOYMENTS),
    }
    return {key: wanted for key, (wanted, own) in limits.items() if wanted > own}


def _for_shared_queue(entries: dict[str, list[dict[str, object]]], namespace: str) -> None:
    """Add what the queue that tenants share needs to itself: turns by fairness key.

    Turns are taken within a partition, so it has one, whatever the stack gives all the others.
    """
    wanted: dict[str, object] = {
        "matching.numTaskqueueReadPartitions": 1,
        "matching.numTaskqueueWritePartitions": 1,
        "matching.enableFairness": True,
    }
    for key, value in wanted.items():
        others = entries.get(key, [])
        if others != [{"value": value}]:
            constraints = {"namespace": namespace, "taskQueueName": SHARED_QUEUE}
            entries[key] = [{"value": value, "constraints": constraints}, *others]
