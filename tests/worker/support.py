"""What several tests of the worker need."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from worker.errors import DriverMisusedError
from worker.models.deployment import CheckSpec, DeploymentRequest
from worker.routers.driver import Change, Check, Confirmation, RouterState
from worker.routers.inventory import RouterRecord
from worker.routers.simulated import SimulatedDriver
from worker.simulator.client import SimulatorClient
from worker.starting.starter import Started, start_deployment
from worker.tenancy import Tenant

BEFORE = ("hostname old", "ntp server 192.0.2.1")
TEMPLATE = "hostname $name\nntp server 192.0.2.1\n"
FOREIGN = ("hostname somebody-else",)
AFTER = ("hostname new", "ntp server 192.0.2.1")


class MeddledDriver(SimulatedDriver):
    """Lets something go wrong at the worst moment: in the midst of a step of ours."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        super().__init__(session, base_url)
        self.before_apply: set[str] = set()
        """Routers that somebody else changes just before our change."""
        self.before_check: set[str] = set()
        """Routers that somebody else changes just before our checks."""
        self.failing: dict[str, str] = {}
        """Method that fails for good, by router."""

    async def read(self, router: RouterRecord) -> RouterState:
        self._fail(router, "read")
        return await super().read(router)

    async def apply(self, change: Change) -> str:
        self._fail(change.router, "apply")
        if change.router.name in self.before_apply:
            await self._meddle(change.router)
        return await super().apply(change)

    async def confirm(self, confirmation: Confirmation) -> str:
        self._fail(confirmation.router, "confirm")
        return await super().confirm(confirmation)

    async def check(
        self, router: RouterRecord, lines: tuple[str, ...], checks: tuple[CheckSpec, ...]
    ) -> tuple[Check, ...]:
        self._fail(router, "check")
        if router.name in self.before_check:
            await self._meddle(router)
        return await super().check(router, lines, checks)

    def _fail(self, router: RouterRecord, method: str) -> None:
        if self.failing.get(router.name) == method:
            raise DriverMisusedError(router.name, f"{method} fails on purpose")

    async def _meddle(self, router: RouterRecord) -> None:
        revision = (await super().read(router)).revision
        await super().apply(Change(router, secrets.token_hex(4), revision, FOREIGN, 3600))


@dataclass(frozen=True)
class Bench:
    """A tenant with routers and somebody who serves it."""

    client: Client
    routers: SimulatorClient
    tenant: Tenant
    driver: MeddledDriver

    def request(self, router: str, **changes: Any) -> DeploymentRequest:
        values: dict[str, Any] = {
            "tenant": self.tenant.name,
            "router": router,
            "site": "madrid",
            "change_id": "change-1",
            "template": TEMPLATE,
            "variables": {"name": "new"},
            "attempts_max": 2,
            "rollback_attempts_max": 2,
            **changes,
        }
        return DeploymentRequest(**values)

    async def router(self, **options: Any) -> str:
        name = f"r-{secrets.token_hex(4)}"
        await self.routers.put_router(name, self.tenant.name, running=BEFORE, **options)
        return name

    async def start(self, router: str, **changes: Any) -> Started:
        return await start_deployment(self.client, self.tenant, self.request(router, **changes))

    async def running(self, router: str) -> tuple[str, ...]:
        return tuple((await self.routers.get_router(router))["running"])

    async def ledger(self, started: Started) -> list[tuple[str, str, str]]:
        """Return step, kind and outcome of each entry of one run."""
        prefix = f"{started.handle.id}/{started.run_id}/"
        entries = await self.routers.ledger(prefix)
        return [(e.idempotency_key.removeprefix(prefix), e.kind.value, e.outcome.value) for e in entries]


@dataclass(frozen=True)
class WorkerProcess:
    """A worker in a process of its own."""

    process: subprocess.Popen[bytes]
    health_url: str
    metrics_url: str
    log: Path = field(repr=False)

    async def status(self, session: aiohttp.ClientSession, path: str) -> int:
        try:
            async with session.get(f"{self.health_url}{path}") as response:
                return response.status
        except aiohttp.ClientError:
            return 0

    async def ready(self, session: aiohttp.ClientSession, seconds: float = 30) -> None:
        async def is_ready() -> bool:
            return await self.status(session, "/readyz") == 200

        await eventually(is_ready, seconds, lambda: self.log.read_text())

    async def exit_code(self, seconds: float = 20) -> int:
        return await asyncio.to_thread(self.process.wait, seconds)


async def eventually(
    condition: Callable[[], Awaitable[bool]], seconds: float = 20, explain: Callable[[], str] = str
) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, explain()
        await asyncio.sleep(0.1)


def failure(error: WorkflowFailureError) -> tuple[str | None, str]:
    """Return the type and the message of a failed workflow."""
    cause = error.cause
    assert isinstance(cause, ApplicationError)
    return cause.type, cause.message
