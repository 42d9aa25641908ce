"""One change on one router: planned, approved, applied, verified and confirmed; undone when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from worker.activities.router_activities import RouterActivities
    from worker.errors import (
        ApprovalDeniedError,
        ApprovalTimedOutError,
        FailureType,
        RequestInvalidError,
        RequestTooNewError,
        to_application_error,
    )
    from worker.models.deployment import (
        REQUEST_VERSION,
        ApprovalPolicy,
        Decision,
        DeploymentRequest,
        DeploymentResult,
        OnTimeout,
        Phase,
        Progress,
    )
    from worker.models.steps import (
        ApplyInput,
        ApplyResult,
        Backup,
        BackupInput,
        ConfirmInput,
        DiffInput,
        PrecheckInput,
        RenderInput,
        RollBackInput,
        RollBackResult,
        RouterRef,
        VerifyInput,
    )

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")

_START_TO_CLOSE = timedelta(seconds=60)
"""A step ends by itself before that (`worker.activities`); this is for one that cannot."""
_RETRY_INTERVAL_MAX = timedelta(seconds=10)
_BUSY_PAUSE_SECONDS = (1, 2, 4, 8, 10)
"""Before a step is offered again to a worker on which the tenant had no slot left; the last one repeats."""

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

    @workflow.init
    def __init__(self, request: DeploymentRequest) -> None:
        self._request = request
        self._router = RouterRef(request.tenant, request.router, request.platform)
        self._progress = Progress(Phase.PRECHECK)
        self._applied_revision = ""

    @workflow.query
    def progress(self) -> Progress:
        """Return where the deployment stands."""
        return self._progress

    @workflow.update
    def decide(self, decision: Decision) -> Progress:
        """Approve or refuse a change that waits for approval."""
        self._progress = replace(self._progress, decision=decision)
        return self._progress

    @decide.validator
    def _may_decide(self, decision: Decision) -> None:
        """Refuse a decision that is not asked for, or not this person's.

        Raises:
            ApplicationError: Of type `RequestInvalid`.
        """
        if self._progress.phase is not Phase.AWAITING_APPROVAL:
            problem = f"does not wait for approval: it is in phase {self._progress.phase}"
        elif self._progress.decision is not None:
            problem = f"has been decided on by {self._progress.decision.by}"
        elif not decision.by.strip():
            problem = "by: '' must name who decides"
        elif decision.by == self._request.requested_by:
            problem = f"by: {decision.by!r} asked for this change; somebody else must decide"
        else:
            return
        raise to_application_error(RequestInvalidError(self._request.router, problem))

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
            _refuse_unusable(request)
            backup, lines = await self._prepare()
            if self._progress.commands and request.approval is not None:
                await self._await_approval(request.approval)
        except (ActivityError, ApplicationError, asyncio.CancelledError) as error:
            self._end(Phase.REFUSED, error, FailureType.DEPLOYMENT_REFUSED)
        if not self._progress.commands:
            self._enter(Phase.UNCHANGED)
            return self._result(backup.revision)
        try:
            applied = await self._apply(backup, lines)
            checks = await self._verify(applied, lines)
            await self._confirm(applied)
        except (ActivityError, asyncio.CancelledError) as error:
            if await self._roll_back(backup, error):
                self._end(Phase.ROLLED_BACK, error, FailureType.DEPLOYMENT_ROLLED_BACK)
            self._end(Phase.REFUSED, error, FailureType.DEPLOYMENT_REFUSED)
        self._enter(Phase.DEPLOYED)
        return self._result(applied.revision, checks)

    async def _prepare(self) -> tuple[Backup, tuple[str, ...]]:
        """Return the backup and the desired lines, and note the commands; touches nothing."""
        request, router = self._request, self._router
        precheck = PrecheckInput(router, request.expected_revision, request.checks)
        await self._step(RouterActivities.precheck, precheck)
        self._enter(Phase.BACKUP)
        backup = await self._step(RouterActivities.backup, BackupInput(router))
        self._enter(Phase.RENDER)
        wanted = RenderInput(router, request.template, request.variables)
        rendered = await self._step(RouterActivities.render, wanted)
        self._enter(Phase.DIFF)
        diff = await self._step(RouterActivities.diff, DiffInput(router, backup.lines, rendered.lines))
        self._progress = replace(self._progress, commands=diff.commands)
        return backup, rendered.lines

    async def _await_approval(self, policy: ApprovalPolicy) -> None:
        """Wait until somebody decides; what the router does meanwhile is met by the revision that apply expects.

        Raises:
            ApplicationError: Of type `ApprovalDenied` or `ApprovalTimedOut`.
        """
        router = self._request.router
        self._enter(Phase.AWAITING_APPROVAL)
        timeout = timedelta(seconds=policy.timeout_seconds)
        try:
            await workflow.wait_condition(lambda: self._progress.decision is not None, timeout=timeout)
        except TimeoutError as error:
            if policy.on_timeout is OnTimeout.APPROVE:
                return
            late = ApprovalTimedOutError(router, f"nobody decided within {policy.timeout_seconds:g} s")
            raise to_application_error(late) from error
        decision = self._progress.decision
        if decision is not None and not decision.is_approved:
            reason = f"refused by {decision.by}" + (f": {decision.comment}" if decision.comment else "")
            raise to_application_error(ApprovalDeniedError(router, reason))

    async def _apply(self, backup: Backup, lines: tuple[str, ...]) -> ApplyResult:
        self._enter(Phase.APPLY)
        step = ApplyInput(
            self._router, _key(Phase.APPLY), backup.revision, lines, self._request.confirm_seconds
        )
        applied = await self._step(RouterActivities.apply, step)
        self._applied_revision = applied.revision
        return applied

    async def _verify(self, applied: ApplyResult, lines: tuple[str, ...]) -> tuple[str, ...]:
        self._enter(Phase.VERIFY)
        step = VerifyInput(self._router, applied.revision, lines, self._request.checks)
        return (await self._step(RouterActivities.verify, step)).checks

    async def _confirm(self, applied: ApplyResult) -> None:
        self._enter(Phase.CONFIRM)
        step = ConfirmInput(self._router, _key(Phase.CONFIRM), _key(Phase.APPLY), applied.revision)
        await self._step(RouterActivities.confirm, step)

    async def _roll_back(self, backup: Backup, error: BaseException) -> bool:
        """Undo the change; return whether it had reached the router at all."""
        self._enter(Phase.ROLLING_BACK, _reason(error))
        step = RollBackInput(
            self._router, _key(Phase.ROLLING_BACK), _key(Phase.APPLY), backup.lines, self._applied_revision
        )
        undoing = asyncio.create_task(self._undo(step))
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
        self._progress = replace(
            self._progress, phase=phase, completed=completed, failure=failure or self._progress.failure
        )
        _upsert(_PHASE.value_set(phase.value))

    def _end(self, phase: Phase, error: BaseException, failure: FailureType) -> NoReturn:
        """End badly: as cancelled when that was asked for, else as a failure of the type given."""
        self._enter(phase, _reason(error))
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError from error
        raise ApplicationError(self._progress.failure, self._progress, type=failure.value) from error

    async def _step(
        self, activity: Callable[[RouterActivities, _Input], Awaitable[_Output]], step: _Input
    ) -> _Output:
        """Run one step, and stop after it when a cancellation has come meanwhile.

        A step that ends well in spite of a cancellation swallows it; the caller still wants out.
        """
        output = await self._execute(activity, step, self._request.attempts_max)
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError
        return output

    async def _undo(self, step: RollBackInput) -> RollBackResult:
        return await self._execute(RouterActivities.roll_back, step, self._request.rollback_attempts_max)

    async def _execute(
        self,
        activity: Callable[[RouterActivities, _Input], Awaitable[_Output]],
        step: _Input,
        attempts_max: int,
    ) -> _Output:
        """Run one activity; one that a worker hands back for want of a slot is offered again."""
        offers = 0
        while True:
            try:
                return await workflow.execute_activity_method(activity, step, **self._options(attempts_max))
            except ActivityError as error:
                if not _is_busy(error):
                    raise
            await workflow.sleep(_BUSY_PAUSE_SECONDS[min(offers, len(_BUSY_PAUSE_SECONDS) - 1)])
            offers += 1

    def _options(self, attempts_max: int) -> workflow.ActivityConfig:
        return workflow.ActivityConfig(
            start_to_close_timeout=_START_TO_CLOSE,
            heartbeat_timeout=timedelta(seconds=self._request.heartbeat_seconds),
            # No schedule-to-close: a deployment outlives an outage of all workers, however long.
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=500),
                maximum_interval=_RETRY_INTERVAL_MAX,
                maximum_attempts=attempts_max,
            ),
            # The state of a router is known only when the step on it has ended.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    def _result(self, revision: str, checks: tuple[str, ...] = ()) -> DeploymentResult:
        request, progress = self._request, self._progress
        return DeploymentResult(
            request.tenant,
            request.router,
            request.change_id,
            progress.phase,
            revision,
            progress.commands,
            checks,
        )


def _refuse_unusable(request: DeploymentRequest) -> None:
    if request.version > REQUEST_VERSION:
        reason = f"request is of version {request.version}, this worker knows up to {REQUEST_VERSION}"
        raise to_application_error(RequestTooNewError(request.router, reason))
    problem = request.problem()
    if problem is not None:
        raise to_application_error(RequestInvalidError(request.router, problem))


def _upsert(*updates: SearchAttributeUpdate[str]) -> None:
    # The SDK leaves a type parameter of this function's argument open.
    workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]


def _is_busy(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, ApplicationError) and cause.type == FailureType.TENANT_BUSY.value


def _key(step: Phase) -> str:
    """Return the idempotency key of a step: the same for every attempt, different for every run."""
    info = workflow.info()
    return f"{info.workflow_id}/{info.run_id}/{step.value}"


def _reason(error: BaseException) -> str:
    """Return one line for people."""
    if is_cancelled_exception(error):
        return "cancelled"
    return str(error.cause if isinstance(error, ActivityError) and error.cause else error)
