"""The rollouts whose histories `record_histories` records: every way one ends, and every order it takes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle

from tests.worker.rollouts import HELD, fleet, let_go, request, start, until
from tests.worker.support import Bench
from worker.models.rollout import AbortOrder, Order, ParallelismOrder, RolloutPhase
from worker.simulator.store import Fault
from worker.starting.rollouts import start_rollout
from worker.workflows.fleet_rollout import FleetRollout

Recorded = WorkflowHandle[Any, Any]


async def _completed(bench: Bench) -> Recorded:
    """Canary, soak, pause, resume, two batches side by side, changed parallelism."""
    routers = await fleet(bench, 5)
    handle = await start(
        bench, routers, batch_size=2, parallelism=1, soak_seconds=0.2, is_paused_after_canaries=True
    )
    await until(handle, lambda progress: progress.phase is RolloutPhase.PAUSED)
    await handle.execute_update(FleetRollout.set_parallelism, ParallelismOrder("ana", 2))
    await handle.execute_update(FleetRollout.resume, Order("ana", "all is well"))
    await handle.result()
    return handle


async def _paused(bench: Bench) -> Recorded:
    routers = await fleet(bench, 2)
    handle = await start(bench, routers, approval=HELD)
    await until(handle, lambda progress: progress.running == (routers[0],))
    await handle.execute_update(FleetRollout.pause, Order("ana"))
    await let_go(bench, routers[0])
    await until(handle, lambda progress: not progress.running)
    await handle.execute_update(FleetRollout.resume, Order("ana"))
    await let_go(bench, routers[1])
    await handle.result()
    return handle


async def _aborted(bench: Bench) -> Recorded:
    routers = await fleet(bench, 3)
    handle = await start(bench, routers, canaries=0, parallelism=2, approval=HELD)
    await until(handle, lambda progress: len(progress.running) == 2)
    await handle.execute_update(FleetRollout.abort, AbortOrder("ana"))
    await handle.execute_update(FleetRollout.abort, AbortOrder("ana", is_cancelling=True))
    await handle.result()
    return handle


async def _cancelled(bench: Bench) -> Recorded:
    routers = await fleet(bench, 3)
    handle = await start(bench, routers, canaries=0, parallelism=2, approval=HELD)
    await until(handle, lambda progress: len(progress.running) == 2)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError as error:
        print(f"cancelled: {error.cause}")
    return handle


async def _budget_spent(bench: Bench) -> Recorded:
    routers = await fleet(bench, 3)
    await bench.routers.set_fault(routers[1], Fault.REFUSE_VERIFY)
    handle = await start(bench, routers, parallelism=1)
    await handle.result()
    return handle


async def _busy(bench: Bench) -> Recorded:
    routers = await fleet(bench, 2)
    other = await bench.start(routers[0], approval=HELD)
    handle = await start(bench, routers, canaries=0, error_budget=1, busy_seconds=0.5)
    await handle.result()
    await other.handle.cancel()
    return handle


async def _window_closed(bench: Bench) -> Recorded:
    routers = await fleet(bench, 2)
    handle = await start(
        bench, routers, canaries=0, parallelism=1, not_after_unix_seconds=time.time() + 2, approval=HELD
    )
    await until(handle, lambda progress: progress.phase is RolloutPhase.STOPPING)
    await let_go(bench, routers[0])
    await handle.result()
    return handle


async def _continued(bench: Bench) -> Recorded:
    """The first run of two."""
    routers = await fleet(bench, 3)
    wanted = request(bench.tenant, routers, routers_per_run=1, window_seconds=300)
    started = await start_rollout(bench.client, bench.tenant, wanted)
    await started.handle.result()
    return bench.client.get_workflow_handle(started.handle.id, run_id=started.run_id)


async def _continuing(bench: Bench) -> Recorded:
    """The second run of two."""
    first = await _continued(bench)
    last = (await first.fetch_history()).events[-1].workflow_execution_continued_as_new_event_attributes
    return bench.client.get_workflow_handle(first.id, run_id=last.new_execution_run_id)


ROLLOUTS: dict[str, Callable[[Bench], Awaitable[Recorded]]] = {
    "completed": _completed,
    "paused": _paused,
    "aborted": _aborted,
    "cancelled": _cancelled,
    "budget_spent": _budget_spent,
    "busy": _busy,
    "window_closed": _window_closed,
    "continued": _continued,
    "continuing": _continuing,
}
