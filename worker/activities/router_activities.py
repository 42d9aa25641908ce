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
    CheckUnknownError,
    PlatformMismatchError,
    RouterDriftedError,
    RouterError,
    RouterNotOwnedError,
    RouterUnreachableError,
    to_application_error,
)
from worker.models.steps import (
    ApplyInput,
    ApplyResult,
    Backup,
    BackupInput,
    ConfirmInput,
    ConfirmResult,
    Diff,
    DiffInput,
    PrecheckInput,
    PrecheckResult,
    Rendered,
    RenderInput,
    RollBackInput,
    RollBackResult,
    RouterRef,
    VerifyInput,
    VerifyResult,
)
from worker.routers.driver import Change, Confirmation, Driver, RouterState, Undo
from worker.routers.drivers import Drivers
from worker.routers.inventory import RouterRecord
from worker.routers.planner import plan
from worker.routers.rendering import render

_BEATS_PER_TIMEOUT = 5
"""Heartbeats within the heartbeat timeout, so that one late beat is not yet a dead worker."""
_STEP_SECONDS_MAX = 50.0
"""Below the workflow's start-to-close timeout of 60 s: a driver's own limit, and time to report."""


class RouterActivities:
    """The activities of `RouterDeployment`, on one driver per platform."""

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def all(self) -> list[Callable[..., Any]]:
        """Return every activity, to register with a worker."""
        return [
            self.precheck,
            self.backup,
            self.render,
            self.diff,
            self.apply,
            self.verify,
            self.confirm,
            self.roll_back,
        ]

    @activity.defn
    async def precheck(self, step: PrecheckInput) -> PrecheckResult:
        """Refuse a router that is not the tenant's, not of the platform, has drifted, or cannot be checked."""
        async with self._step(step.router) as (driver, record):
            for check in step.checks:
                if check.kind not in driver.checks:
                    known = ", ".join(sorted(driver.checks))
                    raise CheckUnknownError(record.name, f"check {check.kind!r} is none of {known}")
            state = await driver.read(record)
            _refuse_wrong_router(step.router, state)
            if step.expected_revision:
                _refuse_drifted(state, step.expected_revision)
            return PrecheckResult(revision=state.revision)

    @activity.defn
    async def backup(self, step: BackupInput) -> Backup:
        """Read the running configuration, to which a roll-back returns."""
        async with self._step(step.router) as (driver, record):
            state = await driver.read(record)
            return Backup(revision=state.revision, lines=state.running)

    @activity.defn
    async def render(self, step: RenderInput) -> Rendered:
        """Render the desired configuration."""
        async with self._step(step.router) as (_, record):
            return Rendered(lines=render(record.name, step.template, step.variables, record.platform))

    @activity.defn
    async def diff(self, step: DiffInput) -> Diff:
        """Plan the commands from running to desired."""
        async with self._step(step.router) as (_, record):
            return Diff(commands=plan(record.platform, step.running, step.desired))

    @activity.defn
    async def apply(self, step: ApplyInput) -> ApplyResult:
        """Put the desired configuration in place until confirmed, once however often it is called."""
        async with self._step(step.router) as (driver, record):
            change = Change(
                record, step.idempotency_key, step.expected_revision, step.lines, step.confirm_seconds
            )
            return ApplyResult(revision=await driver.apply(change))

    @activity.defn
    async def verify(self, step: VerifyInput) -> VerifyResult:
        """Refuse the change unless the router still has it and every check passes."""
        async with self._step(step.router) as (driver, record):
            _refuse_drifted(await driver.read(record), step.expected_revision)
            checks = await driver.check(record, step.lines, step.checks)
            failed = [f"{check.name} ({check.detail})" for check in checks if not check.is_passed]
            if failed:
                raise ChecksFailedError(record.name, f"checks failed: {', '.join(failed)}")
            return VerifyResult(checks=tuple(check.name for check in checks))

    @activity.defn
    async def confirm(self, step: ConfirmInput) -> ConfirmResult:
        """Make the change permanent before the router undoes it by itself."""
        async with self._step(step.router) as (driver, record):
            confirmation = Confirmation(record, step.idempotency_key, step.change_key, step.revision)
            return ConfirmResult(revision=await driver.confirm(confirmation))

    @activity.defn
    async def roll_back(self, step: RollBackInput) -> RollBackResult:
        """Return the router to its backup and bar the change from arriving later."""
        async with self._step(step.router) as (driver, record):
            undo = Undo(record, step.idempotency_key, step.change_key, step.lines, step.revision)
            undone = await driver.undo(undo)
            return RollBackResult(revision=undone.revision, is_restored=undone.is_restored)

    @asynccontextmanager
    async def _step(self, router: RouterRef) -> AsyncIterator[tuple[Driver, RouterRecord]]:
        """Give the router's driver; beat meanwhile, end in time, and turn its errors into Temporal's.

        It ends before Temporal hands the step to another worker, so that two never talk to a router at once.
        """
        beating = asyncio.create_task(_beat())
        try:
            async with asyncio.timeout(_STEP_SECONDS_MAX):
                yield self._drivers.of(router)
        except TimeoutError as error:
            slow = RouterUnreachableError(router.name, f"no end after {_STEP_SECONDS_MAX:g} s")
            raise to_application_error(slow) from error
        except RouterError as error:
            raise to_application_error(error) from error
        finally:
            beating.cancel()


def _refuse_wrong_router(wanted: RouterRef, state: RouterState) -> None:
    if state.tenant != wanted.tenant:
        raise RouterNotOwnedError(wanted.name, f"is not a router of tenant {wanted.tenant}")
    if state.platform != wanted.platform:
        raise PlatformMismatchError(wanted.name, f"is of platform {state.platform}, not {wanted.platform}")


def _refuse_drifted(state: RouterState, revision: str) -> None:
    if state.revision != revision:
        raise RouterDriftedError(state.name, f"is at revision {state.revision}, not {revision}")


async def _beat() -> None:
    timeout = activity.info().heartbeat_timeout
    pause_seconds = timeout.total_seconds() / _BEATS_PER_TIMEOUT if timeout else _STEP_SECONDS_MAX
    while True:
        activity.heartbeat()
        await asyncio.sleep(pause_seconds)
