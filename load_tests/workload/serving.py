"""The worker process: serves the load tests' queue in every namespace with tenants until SIGTERM.

Settings are variables: `TEMPORAL_*` and `ROUTERFLEET_KEYRING_FILE` as for `python -m worker`,
`LOAD_TESTS_NAMESPACES` (comma-separated), and `LOAD_TESTS_READY_FILE`, a file that it creates once it polls.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

from temporalio.worker import Worker

from load_tests.errors import LoadTestError
from load_tests.workload.alarm import Alarm
from load_tests.workload.beating import Beating, beat
from load_tests.workload.conversation import Conversation
from load_tests.workload.growth import Growth, measure
from load_tests.workload.names import QUEUE
from load_tests.workload.quick import Quick
from worker.client import connect, in_namespace
from worker.errors import UsageError
from worker.serving.runner import SharedRunner

WORKFLOWS = (Alarm, Beating, Conversation, Growth, Quick)
ACTIVITIES = (beat, measure)
_STICKY_TIMEOUT = timedelta(seconds=5)
"""As the workers have it (`worker.serving.pool`)."""
_LOOK_SECONDS = 1.0
_LOGGER = logging.getLogger(__name__)


def main() -> int:
    """Serve; return the process's exit code: 0 drained, 2 bad settings."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(os.environ))
    except (LoadTestError, UsageError, RuntimeError) as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - one line for people
        return 2
    return 0


async def _serve(environment: Mapping[str, str]) -> None:
    namespaces = [name for name in environment.get("LOAD_TESTS_NAMESPACES", "").split(",") if name]
    if not namespaces:
        raise LoadTestError("LOAD_TESTS_NAMESPACES: not set; give the tenants' namespaces, comma-separated")
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    client = await connect(environment)
    # One runner for all: a sandbox made anew for each of thousands of workflows would cost more than they do.
    runner = SharedRunner()
    async with AsyncExitStack() as stack:
        for namespace in namespaces:
            await stack.enter_async_context(
                Worker(
                    in_namespace(client, namespace),
                    task_queue=QUEUE,
                    workflows=WORKFLOWS,
                    activities=ACTIVITIES,
                    workflow_runner=runner,
                    max_concurrent_workflow_tasks=200,
                    max_concurrent_activities=2000,
                    sticky_queue_schedule_to_start_timeout=_STICKY_TIMEOUT,
                )
            )
        if ready := environment.get("LOAD_TESTS_READY_FILE"):
            Path(ready).touch()  # noqa: ASYNC240 - once, before anything is served
            # Started by a run, so it ends with it, also when that was killed.
            await _until_alone(os.getppid(), stopping)
        await stopping.wait()


async def _until_alone(parent: int, stopping: asyncio.Event) -> None:
    """Wait until told to stop, or until the process that started this one is gone."""
    while os.getppid() == parent and not stopping.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
    stopping.set()
