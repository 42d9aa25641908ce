"""How much of everything one lane gets, by how many lanes the process serves. Pure.

What each choice costs was measured with 1000 lanes in one process (SDK 1.35, dev server 1.32); the numbers
are in `python -m worker.bench tenants` and its decision record.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.tenancy import SHARED_QUEUE, Lane

WORKFLOW_THREADS = 8
"""Threads that run workflow code, for all lanes together: it never waits, so more would only take turns."""
WORKFLOW_TASKS_WAITING_MAX = 64
"""Workflow tasks that wait for one of these threads, all lanes together. The SDK takes one that has not ended
2 s after it was handed over for a deadlock, so few may wait: 64 of some 5 ms each are a third of a second."""
STARTS_PER_SECOND = 200
"""Lanes that start polling per second: 1000 in five seconds. Each asks for its namespace and opens three polls,
so that even ten processes that start at once stay below a frontend's limit per namespace (2400 calls per second,
`frontend.namespaceRPS`, with bursts of twice that)."""

_WORKFLOW_POLLERS = 2
"""The least the SDK allows: one for new work, one for the sticky queue. `infra.sizing` counts on it."""
_ACTIVITY_POLLERS = 1
"""Few, because polls count against the server's limit per namespace (`frontend.namespaceCount`, 1200 on stock
settings); one hands over some hundred steps per second, more than one tenant may have."""
_POLLERS_OF_SHARED_QUEUE = 4
"""The queue of very many tenants; not above what `infra.sizing` allows one pod and queue."""
_WORKFLOW_SLOTS = 20
_STEPS_MAX = 1000
"""Steps at a time in the shared queue's lane, where each tenant has a limit of its own besides. Also a fixed
figure because a worker's slots are: a tenant who comes or goes must not restart everybody's lane."""
_CACHED_WORKFLOWS = 2000
"""Workflows kept in memory between two of their tasks, for all lanes together."""
_CACHED_WORKFLOWS_PER_LANE = (5, 100)
"""At least and at most. One that is not kept is replayed from its history, which costs the server a read."""


@dataclass(frozen=True)
class Limits:
    """What one lane's worker may use."""

    workflow_pollers: int
    activity_pollers: int
    workflow_slots: int
    activity_slots: int
    cached_workflows: int


def limits_of(lane: Lane, lanes: int) -> Limits:
    """Return the limits of a lane in a process that serves so many."""
    least, most = _CACHED_WORKFLOWS_PER_LANE
    if lane.task_queue == SHARED_QUEUE:
        return Limits(
            workflow_pollers=_POLLERS_OF_SHARED_QUEUE,
            activity_pollers=_POLLERS_OF_SHARED_QUEUE,
            workflow_slots=5 * _WORKFLOW_SLOTS,
            activity_slots=_STEPS_MAX,
            # It stands for many lanes.
            cached_workflows=_CACHED_WORKFLOWS // 2,
        )
    return Limits(
        workflow_pollers=_WORKFLOW_POLLERS,
        activity_pollers=_ACTIVITY_POLLERS,
        workflow_slots=_WORKFLOW_SLOTS,
        activity_slots=lane.concurrency,
        cached_workflows=min(max(_CACHED_WORKFLOWS // max(lanes, 1), least), most),
    )
