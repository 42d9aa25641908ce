"""Arithmetic on settings: database connections, polls, memory. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from infra.pools import pools_of
from infra.rendering.inventory import render_inventory
from infra.settings import Settings
from worker.tenancy import SHARED_QUEUE

_POLLS_PER_QUEUE = 4
"""Long polls of one API that one pod may have open for one queue. `worker.serving.limits` has two (new work, and the
sticky queue; four for the one shared queue); as many again are margin, for polls that a lost connection left
behind until they time out."""

_CONFIG_MAP_BYTES = 1_000_000
"""What a ConfigMap holds, a little below the API server's limit of 1 MiB."""

_RESERVED_CONNECTIONS = 20
"""PostgreSQL connections that are not Temporal's: superuser, instance managers, schema job, a person."""

_DATABASES = 2
"""Default and visibility."""

_GO_SHARE = 0.9
"""Part of the memory limit that Go's collector aims for; the rest is stacks and what it does not count."""

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


@dataclass(frozen=True)
class Connections:
    """Database connections that a stack can open at most."""

    clients: int
    """From Temporal's pods, to both stores together."""
    servers: int
    """From the poolers to PostgreSQL."""


@dataclass(frozen=True)
class WorkerLoad:
    """What the workers ask of the servers, in the Temporal namespace that has most of it."""

    polls: int = 0
    """Long polls of one API at a time, all pods together."""
    queues: int = 0
    """Task queues of one pool."""
    deployments: int = 0
    """Pools, each a worker deployment of its own; 0 where workers are not versioned."""
    shared_queue_namespace: str | None = None
    """Temporal namespace of the queue that many tenants share; none where no tenant does."""
    changes: int = 0
    """Changes of queue limits and of current versions that a first `pulumi up`, or one with a new release, makes at
    once: one per queue with limits, and one per pod, since all pods of a pool may promote its build."""
    rated_queues: tuple[tuple[str, str], ...] = ()
    """Temporal namespace and name of each queue of one tenant that has a rate."""


def worker_load(settings: Settings) -> WorkerLoad:
    """Return what a stack's workers ask of the servers at most."""
    file, pools = settings.tenants_file(), pools_of(settings)
    namespaces = {namespace for pool in pools for namespace in pool.queues}
    # A rollout has one pod more. Not divided by frontends: the last one left must take every poll.
    polls = [
        sum(pool.queues.get(namespace, 0) * (pool.replicas + 1) * _POLLS_PER_QUEUE for pool in pools)
        for namespace in namespaces
    ]
    deployments = [sum(namespace in pool.queues for pool in pools) for namespace in namespaces]
    shared = [
        lane.namespace for pool in pools for lane in file.lanes(pool.name) if lane.task_queue == SHARED_QUEUE
    ]
    rated = {
        (lane.namespace, lane.task_queue)
        for pool in pools
        for lane in file.lanes(pool.name)
        if lane.task_queue != SHARED_QUEUE and lane.tenants[0].rate_per_second is not None
    }
    # The shared queue has three limits: of the queue, of a fairness key, and its weights.
    changes = [
        sum(place == namespace for place, _ in rated)
        + 3 * shared.count(namespace)
        + sum(pool.replicas for pool in pools if namespace in pool.queues and settings.workers.versioning)
        for namespace in namespaces
    ]
    return WorkerLoad(
        polls=max(polls, default=0),
        queues=max((count for pool in pools for count in pool.queues.values()), default=0),
        deployments=max(deployments, default=0) if settings.workers.versioning else 0,
        shared_queue_namespace=shared[0] if shared else None,
        changes=max(changes, default=0),
        rated_queues=tuple(sorted(rated)),
    )


def server_pods(settings: Settings) -> int:
    """Return the number of Temporal server pods, one more per service while a rollout runs."""
    services = (
        settings.temporal.frontend,
        settings.temporal.history,
        settings.temporal.matching,
        settings.temporal.worker,
    )
    return sum(service.replicas + 1 for service in services)


def connections(settings: Settings) -> Connections:
    """Return how many database connections the stack opens at most."""
    per_pod = settings.persistence.connections.default + settings.persistence.connections.visibility
    pooler = settings.persistence.postgres.pooler if settings.persistence.postgres else None
    return Connections(
        clients=server_pods(settings) * per_pod,
        # A rollout of the pooler runs one pod more, too.
        servers=(pooler.instances + 1) * pooler.pool_size * _DATABASES if pooler else 0,
    )


def problems(settings: Settings) -> list[str]:
    """Return one line for each number that does not fit another."""
    return [*_size_problems(settings), *_connection_problems(settings)]


def _size_problems(settings: Settings) -> list[str]:
    texts = {
        "tenants": (len(settings.tenants), settings.tenants_file().to_json()),
        "workers.inventory": (len(settings.workers.inventory), render_inventory(settings.workers.inventory)),
    }
    return [
        f"{key}: {count} records make {len(text.encode())} bytes, and a ConfigMap holds {_CONFIG_MAP_BYTES}"
        for key, (count, text) in texts.items()
        if len(text.encode()) > _CONFIG_MAP_BYTES
    ]


def _connection_problems(settings: Settings) -> list[str]:
    postgres = settings.persistence.postgres
    if postgres is None:
        return []
    need = connections(settings)
    found: list[str] = []
    available = postgres.max_connections - _RESERVED_CONNECTIONS
    if need.servers > available:
        found.append(
            f"persistence.postgres.max_connections: {postgres.max_connections} is too few: the poolers open up to "
            f"{need.servers} and {_RESERVED_CONNECTIONS} are kept free: "
            f"at least {need.servers + _RESERVED_CONNECTIONS}"
        )
    if need.clients > postgres.pooler.max_client_connections:
        found.append(
            "persistence.postgres.pooler.max_client_connections: "
            f"{postgres.pooler.max_client_connections} is too few: one pooler alone must hold all "
            f"{need.clients} connections of Temporal"
        )
    return found


def quantity_bytes(quantity: str) -> int:
    """Return a Kubernetes memory quantity in bytes.

    Raises:
        ValueError: When it is no such quantity.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?", quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no memory quantity: a number and Ki, Mi, Gi or Ti")
    return int(float(match.group(1)) * _UNITS[match.group(2) or ""])


def go_memory_limit(quantity: str) -> str:
    """Return the soft memory limit of a Go program for a container's memory limit, as GOMEMLIMIT takes it."""
    return f"{int(quantity_bytes(quantity) * _GO_SHARE) // 2**20}MiB"
