"""The steps of a deployment that touch a router.

Each is idempotent, because Temporal runs an activity at least once: a worker may die after the router took
a change and before it could say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from temporalio import activity

from worker.errors import (
    ChecksFailedError,
    PlatformMismatchError,
    RouterDriftedError,
    RouterError,
    RouterNotOwnedError,
    to_application_error,
)
from worker.models import (
    ApplyInput,
    ApplyResult,
    Backup,
    BackupInput,
    Diff,
    DiffInput,
    PrecheckInput,
    PrecheckResult,
    Rendered,
    RenderInput,
    RollBackInput,
    RollBackResult,
    VerifyInput,
    VerifyResult,
)
from worker.routers.driver import Change, Driver, Undo
from worker.routers.planner import plan
from worker.routers.rendering import render

_HEARTBEAT_INTERVAL_SECONDS = 2.0
"""A fifth of the workflow's heartbeat timeout, so that one late beat is not yet a dead worker."""


class RouterActivities:
    """The activities of `RouterDeployment`, on one driver."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def all(self) -> list[Callable[..., Any]]:
        """Return every activity, to register with a worker."""
        return [
            self.precheck,
            self.backup,
            self.render,
            self.diff,
            self.apply,
            self.verify,
            self.roll_back,
        ]

    @activity.defn
    async def precheck(self, step: PrecheckInput) -> PrecheckResult:
        """Refuse a router that is not the tenant's or not of the platform."""
        async with _step():
            state = await self._driver.read(step.router)
            if state.tenant != step.tenant:
                raise RouterNotOwnedError(step.router, f"is not a router of tenant {step.tenant}")
            if state.platform != step.platform:
                raise PlatformMismatchError(
                    step.router, f"is of platform {state.platform}, not {step.platform}"
                )
            return PrecheckResult(revision=state.revision)

    @activity.defn
    async def backup(self, step: BackupInput) -> Backup:
        """Read the running configuration, to which a roll-back returns."""
        async with _step():
            state = await self._driver.read(step.router)
            return Backup(revision=state.revision, lines=state.running)

    @activity.defn
    async def render(self, step: RenderInput) -> Rendered:
        """Render the desired configuration."""
        async with _step():
            return Rendered(lines=render(step.router, step.template, step.variables))

    @activity.defn
    async def diff(self, step: DiffInput) -> Diff:
        """Plan the commands from running to desired."""
        async with _step():
            return Diff(commands=plan(step.running, step.desired))

    @activity.defn
    async def apply(self, step: ApplyInput) -> ApplyResult:
        """Put the desired configuration in place, once however often it is called."""
        async with _step():
            revision = await self._driver.apply(
                Change(step.router, step.idempotency_key, step.expected_revision, step.lines)
            )
            return ApplyResult(revision=revision)

    @activity.defn
    async def verify(self, step: VerifyInput) -> VerifyResult:
        """Refuse the change unless the router still has it and every check passes."""
        async with _step():
            state = await self._driver.read(step.router)
            if state.revision != step.expected_revision:
                raise RouterDriftedError(
                    step.router, f"is at revision {state.revision}, not {step.expected_revision}"
                )
            checks = await self._driver.check(step.router, step.lines)
            failed = [f"{check.name} ({check.detail})" for check in checks if not check.is_passed]
            if failed:
                raise ChecksFailedError(step.router, f"checks failed: {', '.join(failed)}")
            return VerifyResult(checks=tuple(check.name for check in checks))

    @activity.defn
    async def roll_back(self, step: RollBackInput) -> RollBackResult:
        """Return the router to its backup and bar the change from arriving later."""
        async with _step():
            undone = await self._driver.undo(
                Undo(step.router, step.idempotency_key, step.change_key, step.lines)
            )
            return RollBackResult(revision=undone.revision, is_restored=undone.is_restored)


@asynccontextmanager
async def _step() -> AsyncIterator[None]:
    """Beat while the step runs, so that a dead worker is noticed, and turn its errors into Temporal's."""
    beating = asyncio.create_task(_beat())
    try:
        yield
    except RouterError as error:
        raise to_application_error(error) from error
    finally:
        beating.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(_HEARTBEAT_INTERVAL_SECONDS)
