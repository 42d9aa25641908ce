"""One change on one router: precheck, backup, render, diff, apply, verify; undone when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from worker.activities.router_activities import RouterActivities
    from worker.errors import FailureType
    from worker.models import (
        ApplyInput,
        ApplyResult,
        Backup,
        BackupInput,
        DeploymentRequest,
        DeploymentResult,
        DiffInput,
        Phase,
        PrecheckInput,
        Progress,
        RenderInput,
        RollBackInput,
        RollBackResult,
        VerifyInput,
    )

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")

_START_TO_CLOSE = timedelta(seconds=60)
"""Twice what a driver may take over one call."""
_HEARTBEAT_TIMEOUT = timedelta(seconds=10)
"""How long a killed worker goes unnoticed. Shorter would take a busy worker for a dead one."""
_RETRY_INTERVAL_MAX = timedelta(seconds=10)

_TENANT = SearchAttributeKey.for_keyword("Tenant")
_ROUTER = SearchAttributeKey.for_keyword("Router")
_SITE = SearchAttributeKey.for_keyword("Site")
_CHANGE_ID = SearchAttributeKey.for_keyword("ChangeId")
_PHASE = SearchAttributeKey.for_keyword("Phase")


@workflow.defn
class RouterDeployment:
    """Deploys one configuration to one router.

    Ends in one of four ways: a `DeploymentResult`; a failure of type `DeploymentRefused` (nothing was
    applied); of type `DeploymentRolledBack` (the router runs its backup); of type `RollbackFailed` (a
    person must look). A cancellation ends as cancelled, after undoing what was applied.
    """

    def __init__(self) -> None:
        self._progress = Progress(Phase.PRECHECK)

    @workflow.query
    def progress(self) -> Progress:
        """Return where the deployment stands."""
        return self._progress

    @workflow.run
    async def run(self, request: DeploymentRequest) -> DeploymentResult:
        """Deploy, or leave the router as it was."""
        _upsert(
            _TENANT.value_set(request.tenant),
            _ROUTER.value_set(request.router),
            _SITE.value_set(request.site),
            _CHANGE_ID.value_set(request.change_id),
            _PHASE.value_set(Phase.PRECHECK.value),
        )
        try:
            backup, lines, commands = await self._prepare(request)
        except (ActivityError, asyncio.CancelledError) as error:
            self._end(Phase.REFUSED, error, FailureType.DEPLOYMENT_REFUSED)
        if not commands:
            self._enter(Phase.UNCHANGED)
            return _result(request, Phase.UNCHANGED, backup.revision)
        try:
            applied = await self._apply(request, backup, lines)
            checks = await self._verify(request, applied, lines)
        except (ActivityError, asyncio.CancelledError) as error:
            if await self._roll_back(request, backup, error):
                self._end(Phase.ROLLED_BACK, error, FailureType.DEPLOYMENT_ROLLED_BACK)
            self._end(Phase.REFUSED, error, FailureType.DEPLOYMENT_REFUSED)
        self._enter(Phase.DEPLOYED)
        return _result(request, Phase.DEPLOYED, applied.revision, commands, checks)

    async def _prepare(self, request: DeploymentRequest) -> tuple[Backup, tuple[str, ...], tuple[str, ...]]:
        """Return the backup, the desired lines and the commands; touches nothing."""
        attempts_max = request.attempts_max
        precheck = PrecheckInput(request.tenant, request.router, request.platform)
        await _step(RouterActivities.precheck, precheck, attempts_max)
        self._enter(Phase.BACKUP)
        backup = await _step(
            RouterActivities.backup, BackupInput(request.tenant, request.router), attempts_max
        )
        self._enter(Phase.RENDER)
        rendered = await _step(
            RouterActivities.render,
            RenderInput(request.router, request.template, request.variables),
            attempts_max,
        )
        self._enter(Phase.DIFF)
        diff = await _step(RouterActivities.diff, DiffInput(backup.lines, rendered.lines), attempts_max)
        return backup, rendered.lines, diff.commands

    async def _apply(self, request: DeploymentRequest, backup: Backup, lines: tuple[str, ...]) -> ApplyResult:
        self._enter(Phase.APPLY)
        step = ApplyInput(request.router, _key(Phase.APPLY), backup.revision, lines)
        return await _step(RouterActivities.apply, step, request.attempts_max)

    async def _verify(
        self, request: DeploymentRequest, applied: ApplyResult, lines: tuple[str, ...]
    ) -> tuple[str, ...]:
        self._enter(Phase.VERIFY)
        step = VerifyInput(request.router, applied.revision, lines)
        verified = await _step(RouterActivities.verify, step, request.attempts_max)
        return verified.checks

    async def _roll_back(self, request: DeploymentRequest, backup: Backup, error: BaseException) -> bool:
        """Undo the change; return whether it had reached the router at all."""
        self._enter(Phase.ROLLING_BACK, _reason(error))
        step = RollBackInput(request.router, _key(Phase.ROLLING_BACK), _key(Phase.APPLY), backup.lines)
        undoing = asyncio.create_task(_undo(step, request.rollback_attempts_max))
        try:
            try:
                undone = await asyncio.shield(undoing)
            except asyncio.CancelledError:
                # Cancelled while undoing: finish first. A workflow is cancelled at most once.
                undone = await undoing
        except ActivityError as failure:
            self._enter(Phase.ROLLBACK_FAILED, f"{_reason(error)}; then {_reason(failure)}")
            raise ApplicationError(
                self._progress.failure, self._progress, type=FailureType.ROLLBACK_FAILED.value
            ) from failure
        return undone.is_restored

    def _enter(self, phase: Phase, failure: str = "") -> None:
        completed = (*self._progress.completed, self._progress.phase)
        self._progress = Progress(phase, completed, failure or self._progress.failure)
        _upsert(_PHASE.value_set(phase.value))

    def _end(self, phase: Phase, error: BaseException, failure: FailureType) -> NoReturn:
        """End badly: as cancelled when that was asked for, else as a failure of the type given."""
        self._enter(phase, _reason(error))
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError from error
        raise ApplicationError(self._progress.failure, self._progress, type=failure.value) from error


def _upsert(*updates: SearchAttributeUpdate[str]) -> None:
    # The SDK leaves a type parameter of this function's argument open.
    workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]


async def _step(
    activity: Callable[[RouterActivities, _Input], Awaitable[_Output]], step: _Input, attempts_max: int
) -> _Output:
    """Run one step, and stop after it when a cancellation has come meanwhile.

    A step that ends well in spite of a cancellation swallows it; the caller still wants out.
    """
    output = await workflow.execute_activity_method(activity, step, **_options(attempts_max))
    if workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError
    return output


async def _undo(step: RollBackInput, attempts_max: int) -> RollBackResult:
    return await workflow.execute_activity_method(RouterActivities.roll_back, step, **_options(attempts_max))


def _options(attempts_max: int) -> workflow.ActivityConfig:
    return workflow.ActivityConfig(
        start_to_close_timeout=_START_TO_CLOSE,
        heartbeat_timeout=_HEARTBEAT_TIMEOUT,
        # No schedule-to-close: a deployment outlives an outage of all workers, however long.
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=500),
            maximum_interval=_RETRY_INTERVAL_MAX,
            maximum_attempts=attempts_max,
        ),
        # The state of a router is known only when the step on it has ended.
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


def _key(step: Phase) -> str:
    """Return the idempotency key of a step: the same for every attempt, different for every run."""
    info = workflow.info()
    return f"{info.workflow_id}/{info.run_id}/{step.value}"


def _reason(error: BaseException) -> str:
    """Return one line for people."""
    if is_cancelled_exception(error):
        return "cancelled"
    return str(error.cause if isinstance(error, ActivityError) and error.cause else error)


def _result(
    request: DeploymentRequest,
    phase: Phase,
    revision: int,
    commands: tuple[str, ...] = (),
    checks: tuple[str, ...] = (),
) -> DeploymentResult:
    return DeploymentResult(
        request.tenant, request.router, request.change_id, phase, revision, commands, checks
    )
