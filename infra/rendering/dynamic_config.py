"""The server's dynamic configuration: drains that lose nothing, limits that follow the number of queues."""

from __future__ import annotations

import math
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

_CHANGES_PER_SECOND, _CHANGES_PER_SECOND_OF_HOST = 10, 20
"""The server's own limits of changes of queue limits and current versions (and of namespaces), which it replicates:
per namespace over all frontends, and per frontend. Same source. The first overrides its namesake per frontend
(`frontend.namespaceRPS...`, 1): 200 changes at once took 16 s (measured, 1.32.0), the first 50 in a burst."""

_CHANGES_SECONDS = 60
"""In which all changes of a `pulumi up` are to be through. Half of what the reconcile job waits for one queue, and
while a new build is not current the work waits for it."""

_ONE_PARTITION: dict[str, object] = {
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


def render_dynamic_config(load: WorkerLoad, overrides: Mapping[str, object]) -> str:
    """Render the dynamic configuration file.

    Args:
        load: What the workers ask of the servers, from which limits are derived.
        overrides: Key to value for the whole cluster, laid over the bundle's own.
    """
    values = {**default_values(load), **overrides}
    entries: dict[str, list[dict[str, object]]] = {key: [{"value": value}] for key, value in values.items()}
    if load.shared_queue_namespace is not None:
        # Turns are taken by fairness key, and within a partition.
        wanted = {**_ONE_PARTITION, "matching.enableFairness": True}
        _for_queue(entries, load.shared_queue_namespace, SHARED_QUEUE, wanted)
    for namespace, task_queue in load.rated_queues:
        # A rate is divided by the partitions, and work is not: 28 steps at 2 per second took 31 s with four (measured).
        _for_queue(entries, namespace, task_queue, _ONE_PARTITION)
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
        **_ONE_PARTITION,
        **_deployment_limits(load),
        **_change_limits(load),
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


def _change_limits(load: WorkerLoad) -> dict[str, object]:
    """Return the rates of changes at which all of a `pulumi up` are through in time, where the server's own are lower.

    Changes divided by seconds, rounded up. A frontend gets the whole of it: the last one left must take every call.
    """
    wanted = math.ceil(load.changes / _CHANGES_SECONDS)
    limits = {
        "frontend.globalNamespaceRPS.namespaceReplicationInducingAPIs": _CHANGES_PER_SECOND,
        "frontend.rps.namespaceReplicationInducingAPIs": _CHANGES_PER_SECOND_OF_HOST,
    }
    return {key: wanted for key, own in limits.items() if wanted > own}


def _for_queue(
    entries: dict[str, list[dict[str, object]]],
    namespace: str,
    task_queue: str,
    wanted: Mapping[str, object],
) -> None:
    """Add what one queue needs to itself, whatever the stack gives all the others."""
    for key, value in wanted.items():
        others = entries.get(key, [])
        if {"value": value} not in others:
            constraints = {"namespace": namespace, "taskQueueName": task_queue}
            entries[key] = [{"value": value, "constraints": constraints}, *others]
