"""The workers that `worker.bench.kills` kills: two at a time, each replaced when it dies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from worker.bench.gate import Gate, Trips
from worker.demo.embedded import Target, free_port, part

WORKERS = 2
"""One dies, the other goes on; and at times both are dead."""


class Crew:
    """Worker processes behind a gate each, that serve one tenants file.

    Args:
        target: Server and simulator.
        folder: For the logs, one per worker.
        tenants_file: What they serve.
        trips: At which requests a worker is killed.
        on_kill: Told of the router at which one was.
    """

    def __init__(
        self, target: Target, folder: Path, tenants_file: Path, trips: Trips, on_kill: Callable[[str], None]
    ) -> None:
        self._target = target
        self._folder = folder
        self._tenants_file = tenants_file
        self._trips = trips
        self._on_kill = on_kill
        self._stack = AsyncExitStack()
        self._alive: list[asyncio.subprocess.Process] = []
        self._watching: list[asyncio.Task[None]] = []
        self.logs: list[Path] = []
        self.killed = 0

    async def __aenter__(self) -> Crew:
        """Start the first workers."""
        for _ in range(WORKERS):
            await self._hire()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every worker that lives."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self._stack.aclose()

    def kill_all(self) -> None:
        """Kill every worker that lives; each is replaced."""
        for process in list(self._alive):
            self._kill(process)

    async def _hire(self) -> None:
        """Start one worker, and another one when it has died."""

        def kill(router: str) -> None:
            self._kill(process)
            self._on_kill(router)

        url = await self._stack.enter_async_context(Gate(self._target.routers_url, self._trips, kill).serve())
        log = self._folder / f"worker-{len(self.logs)}.log"
        self.logs.append(log)
        worker = await self._stack.enter_async_context(
            part(log, (sys.executable, "-m", "worker"), self._environment(url))
        )
        process = worker.process
        self._alive.append(process)
        self._watching.append(asyncio.create_task(self._replace(process)))

    async def _replace(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._alive.remove(process)
        await self._hire()

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()
            self.killed += 1

    def _environment(self, routers_url: str) -> dict[str, str]:
        return {
            **self._target.environment,
            "ROUTERFLEET_TENANTS_FILE": str(self._tenants_file),
            "ROUTERFLEET_ROUTERS_URL": routers_url,
            "ROUTERFLEET_HEALTH_ADDRESS": f"127.0.0.1:{free_port()}",
            "ROUTERFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
            "ROUTERFLEET_GRACEFUL_SHUTDOWN_SECONDS": "0",
        }
