"""Starts bursts at the times that were intended, whatever becomes of those before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority
from temporalio.service import RPCError

from worker.bench.support.burst import Burst, BurstInput, BurstOutput
from worker.tenancy import Tenant, deployment_workflow_id

BURSTS_PER_SECOND = 4
_START_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True)
class Stream:
    """One tenant's load."""

    client: Client
    """Of the tenant's namespace."""
    tenant: Tenant
    steps_per_second: int
    """A multiple of `BURSTS_PER_SECOND`."""
    hold_seconds: float = 0.01
    has_priority: bool = True
    """Whether its work carries the tenant's fairness key, weight and priority."""
    is_measured: bool = True
    """Whether its ends are waited for and its waits kept."""


@dataclass
class Sent:
    """What became of a stream."""

    lags_seconds: list[float] = field(default_factory=list[float])
    """From when each burst was intended to when it was sent: how good the generator itself was."""
    refused: int = 0
    waits_seconds: list[float] = field(default_factory=list[float])
    missing_steps: int = 0
    """Measured steps that had not ended when the patience was over."""


async def send(
    streams: Sequence[Stream], warm_up_seconds: float, seconds: float, patience_seconds: float
) -> dict[str, Sent]:
    """Send all streams side by side; return what became of each by its tenant's name.

    Args:
        streams: What to send.
        warm_up_seconds: Sent before, and not measured: connections, caches, first workflows.
        seconds: Measured.
        patience_seconds: How long measured bursts may take to end afterwards.
    """
    begin = time.monotonic() + 0.5
    sent = await asyncio.gather(
        *(
            # Spread over the interval, so that no two tenants' bursts are sent in the same instant.
            _send(
                stream,
                begin + number / len(streams) / BURSTS_PER_SECOND,
                warm_up_seconds,
                seconds,
                patience_seconds,
            )
            for number, stream in enumerate(streams)
        )
    )
    return {stream.tenant.name: result for stream, result in zip(streams, sent, strict=True)}


async def _send(
    stream: Stream, begin: float, warm_up_seconds: float, seconds: float, patience_seconds: float
) -> Sent:
    sent = Sent()
    bursts = int((warm_up_seconds + seconds) * BURSTS_PER_SECOND)
    warm_ups = int(warm_up_seconds * BURSTS_PER_SECOND)
    tasks: list[asyncio.Task[None]] = []
    for number in range(bursts):
        intended = begin + number / BURSTS_PER_SECOND
        await asyncio.sleep(intended - time.monotonic())
        sent.lags_seconds.append(time.monotonic() - intended)
        is_measured = stream.is_measured and number >= warm_ups
        tasks.append(asyncio.create_task(_burst(stream, number, sent, is_measured=is_measured)))
    _, pending = await asyncio.wait(tasks, timeout=patience_seconds if stream.is_measured else 0.01)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if stream.is_measured:
        expected = (bursts - warm_ups) * stream.steps_per_second // BURSTS_PER_SECOND
        sent.missing_steps = expected - len(sent.waits_seconds)
    return sent


async def _burst(stream: Stream, number: int, sent: Sent, *, is_measured: bool) -> None:
    tenant = stream.tenant
    priority = Priority(tenant.urgency.priority_key, tenant.fairness_key, tenant.weight)
    try:
        handle: WorkflowHandle[Burst, BurstOutput] = await stream.client.start_workflow(
            Burst.run,
            BurstInput(stream.steps_per_second // BURSTS_PER_SECOND, stream.hold_seconds),
            id=deployment_workflow_id(tenant.name, f"burst{number}"),
            task_queue=tenant.task_queue,
            priority=priority if stream.has_priority else Priority.default,
            rpc_timeout=_START_TIMEOUT,
        )
        if is_measured:
            sent.waits_seconds.extend((await handle.result()).waits_seconds)
    except RPCError:
        sent.refused += 1
