"""Limits of task queues: how many steps per second each tenant is handed, and its weight in the shared queue.

`observe` reads, `plan` decides (pure), `carry_out` writes, as in `worker.administration.namespaces`. Only queues of
activities have limits: the steps are activities, and Temporal allows no rate on queues of workflow tasks.

A queue of one tenant gets the tenant's rate as the queue's. The shared queue gets one rate for all fairness
keys, which Temporal multiplies by each key's weight; the tenants file refuses rates that this cannot say. The
server divides every rate by the queue's partitions, so a low rate is exact only with one partition, and it
hands out up to one second's worth at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, RateLimitConfig, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.reconciliation import PATIENCE, Drift, settle, side_by_side
from worker.client import RPC_TIMEOUT, is_transient
from worker.tenancy import SHARED_QUEUE, Lane, TenantsFile

_REASON = "tenants file"
_SHOWN_MAX = 3
"""Weights that a line about drift spells out."""
_RateLimitUpdate = UpdateTaskQueueConfigRequest.RateLimitUpdate


class Action(StrEnum):
    """What is missing."""

    SET_RATE = "set-rate"
    SET_FAIRNESS_RATE = "set-fairness-rate"
    SET_WEIGHTS = "set-weights"


@dataclass(frozen=True)
class Limits:
    """What a queue hands out; None is no limit."""

    rate_per_second: float | None = None
    """Steps of the whole queue."""
    fairness_rate_per_second: float | None = None
    """Steps per fairness key and unit of its weight."""
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    """Fairness weights that are not the key's own, by fairness key. A tenant whose weight goes back to 1 keeps
    in this queue, until they end, the weight with which its open deployments were started."""


def desired(tenants: TenantsFile) -> dict[Lane, Limits]:
    """Return what each lane that is served should have, lanes that are being left included."""
    limits: dict[Lane, Limits] = {}
    for lane in (lane for pool in tenants.pools() for lane in tenants.lanes(pool)):
        if lane.task_queue == SHARED_QUEUE:
            weights = {key: _rounded(weight) for key, weight in tenants.shared_queue_weights().items()}
            rate = tenants.shared_queue_rate()
            limits[lane] = Limits(None, None if rate is None else _rounded(rate), weights)
        else:
            rate = lane.tenants[0].rate_per_second
            limits[lane] = Limits(None if rate is None else _rounded(rate))
    return limits


def plan(lane: Lane, wanted: Limits, observed: Limits) -> tuple[Drift, ...]:
    """Return what must be done; nothing when all is as it should be."""
    drift: list[Drift] = []

    def differs(action: Action, detail: str) -> None:
        drift.append(Drift(lane.namespace, action, detail, lane.task_queue))

    if observed.rate_per_second != wanted.rate_per_second:
        detail = (
            f"steps per second {_shown(observed.rate_per_second)}, should be {_shown(wanted.rate_per_second)}"
        )
        differs(Action.SET_RATE, detail)
    if observed.fairness_rate_per_second != wanted.fairness_rate_per_second:
        is_now, should_be = observed.fairness_rate_per_second, wanted.fairness_rate_per_second
        detail = f"steps per second and weight {_shown(is_now)}, should be {_shown(should_be)}"
        differs(Action.SET_FAIRNESS_RATE, detail)
    wrong = sorted(
        key
        for key in {*observed.weights, *wanted.weights}
        if observed.weights.get(key) != wanted.weights.get(key)
    )
    if wrong:
        weights = ", ".join(
            f"{key} {observed.weights.get(key, 1):g}, should be {wanted.weights.get(key, 1):g}"
            for key in wrong[:_SHOWN_MAX]
        )
        more = f" and {len(wrong) - _SHOWN_MAX} more" if len(wrong) > _SHOWN_MAX else ""
        differs(Action.SET_WEIGHTS, f"weight of {weights}{more}")
    return tuple(drift)


async def observe(client: Client, lane: Lane) -> Limits:
    """Return the queue's limits as the server has them; none where there is no such namespace."""
    try:
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=lane.namespace,
                task_queue=TaskQueue(name=lane.task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                report_config=True,
            ),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Limits()
        raise
    config = answer.config
    return Limits(
        _rate(config.queue_rate_limit),
        _rate(config.fairness_keys_rate_limit_default),
        {**config.fairness_weight_overrides},
    )


async def carry_out(client: Client, lane: Lane, drift: Drift, wanted: Limits) -> None:
    """Do one thing of the plan."""
    request = UpdateTaskQueueConfigRequest(
        namespace=lane.namespace,
        identity=client.identity,
        task_queue=lane.task_queue,
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    match Action(drift.action):
        case Action.SET_RATE:
            request.update_queue_rate_limit.CopyFrom(_update(wanted.rate_per_second))
        case Action.SET_FAIRNESS_RATE:
            update = _update(wanted.fairness_rate_per_second)
            request.update_fairness_key_rate_limit_default.CopyFrom(update)
        case Action.SET_WEIGHTS:
            there = (await observe(client, lane)).weights
            # Apart, because the old and the new together may be more than one request can carry.
            if gone := sorted(there.keys() - wanted.weights.keys()):
                removal = UpdateTaskQueueConfigRequest()
                removal.CopyFrom(request)
                removal.unset_fairness_weight_overrides.extend(gone)
                await _send(client, removal)
            if not wanted.weights:
                return
            request.set_fairness_weight_overrides.update(wanted.weights)
    await _send(client, request)


async def reconcile_all(
    client: Client,
    wanted: Mapping[Lane, Limits],
    patience: timedelta = PATIENCE,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Drift, ...]:
    """Bring the limits of all queues to what is desired, several at a time; return what was done.

    Args:
        client: A client of any namespace.
        wanted: Limits by lane, as `desired` returns them.
        patience: For each queue, from when its turn has come.
        on_done: Called after each queue.

    Raises:
        ReconciliationError: When patience runs out.
        RPCError: For an error that trying again cannot mend.
    """

    async def one(item: tuple[Lane, Limits]) -> tuple[Drift, ...]:
        lane, limits = item

        async def look() -> tuple[Drift, ...]:
            return plan(lane, limits, await observe(client, lane))

        async def mend(drift: Drift) -> None:
            await carry_out(client, lane, drift, limits)

        return await settle(look, mend, _may_pass, f"queue {lane}: limits not in force", patience)

    results = await side_by_side(wanted.items(), one, on_done)
    return tuple(drift for result in results for drift in result)


async def _send(client: Client, request: UpdateTaskQueueConfigRequest) -> None:
    await client.workflow_service.update_task_queue_config(request, retry=True, timeout=RPC_TIMEOUT)


def _update(rate_per_second: float | None) -> _RateLimitUpdate:
    if rate_per_second is None:
        return _RateLimitUpdate(reason=_REASON)
    return _RateLimitUpdate(rate_limit=RateLimit(requests_per_second=rate_per_second), reason=_REASON)


def _rate(config: RateLimitConfig) -> float | None:
    return config.rate_limit.requests_per_second if config.HasField("rate_limit") else None


def _rounded(value: float) -> float:
    """Return the value as the server keeps it, in single precision: else 0.1 would differ for ever."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _shown(rate: float | None) -> str:
    return "unlimited" if rate is None else f"{rate:g}"


def _may_pass(error: RPCError) -> bool:
    # A namespace just created is not known to every server at once.
    return is_transient(error) or error.status is RPCStatusCode.NOT_FOUND
