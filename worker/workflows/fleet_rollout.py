"""One change on many routers: canaries first, then batch after batch, within an error budget and a window."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import NoReturn

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from worker.errors import RequestInvalidError, RequestTooNewError, to_application_error
    from worker.models.deployment import DeploymentResult
    from worker.models.rollout import (
        PARALLELISM_MAX,
        ROLLOUT_REQUEST_VERSION,
        AbortOrder,
        Carried,
        Ending,
        Order,
        ParallelismOrder,
        RolloutPhase,
        RolloutProgress,
        RolloutReport,
        RolloutRequest,
        RolloutTarget,
    )
    from worker.tenancy import deployment_workflow_id
    from worker.workflows.rollout_records import RolloutRecords, ending_of
    from worker.workflows.router_deployment import RouterDeployment

_Child = workflow.ChildWorkflowHandle[RouterDeployment, DeploymentResult]

_BUSY_PAUSE_SECONDS = (2, 5, 10, 20, 30)
"""Before a router that another deployment has is asked for again; the last one repeats."""

_TENANT = SearchAttributeKey.for_keyword("Tenant")
_CHANGE_ID = SearchAttributeKey.for_keyword("ChangeId")
_PHASE = SearchAttributeKey.for_keyword("Phase")
_SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Set by the server on what a schedule starts: when it was meant to start, however late it did."""


@workflow.defn
class FleetRollout:
    """Deploys one change to many routers, each in a child workflow `RouterDeployment`.

    Ends with a `RolloutReport`, whatever became of the routers; as failed, of type `RequestInvalid` or
    `RequestTooNew`, when the request cannot be used; or as cancelled, once every running deployment has
    left its router in a known state. Nothing is cancelled by cancelling tasks of this workflow: a flag
    is, so that a child whose start is under way is never lost sight of.
    """

    @workflow.init
    def __init__(self, request: RolloutRequest) -> None:
        carried = request.carried
        self._request = request
        self._targets = deque(request.targets)
        self._total = len(request.targets) + (len(carried.endings) if carried else 0)
        self._parallelism = carried.parallelism if carried else request.parallelism
        self._is_paused = carried.is_paused if carried else False
        self._batch = carried.batch if carried else -1
        self._note = carried.note if carried else ""
        self._records = RolloutRecords(carried)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopped: RolloutPhase | None = None
        self._is_cancelling = False
        self._is_soaking = False
        self._shown: RolloutPhase | None = None

    @workflow.query
    def progress(self) -> RolloutProgress:
        """Return where the rollout stands."""
        return RolloutProgress(
            phase=self._shown or RolloutPhase.CANARY,
            total=self._total,
            batch=max(self._batch, 0),
            parallelism=self._parallelism,
            error_budget=self._request.error_budget,
            counts=self._records.counts(),
            running=tuple(self._running),
            failures=tuple(self._records.failures),
            note=self._note,
        )

    @workflow.update
    def pause(self, order: Order) -> RolloutProgress:
        """Start no more deployments until resumed; running ones come to their end."""
        self._is_paused = True
        return self._take("paused", order.by, order.comment)

    @pause.validator
    def _may_pause(self, order: Order) -> None:
        self._refuse(order.by, "is paused already" if self._is_paused else self._past_control())

    @workflow.update
    def resume(self, order: Order) -> RolloutProgress:
        """Go on after a pause."""
        self._is_paused = False
        return self._take("resumed", order.by, order.comment)

    @resume.validator
    def _may_resume(self, order: Order) -> None:
        self._refuse(order.by, self._past_control() if self._is_paused else "is not paused")

    @workflow.update
    def abort(self, order: AbortOrder) -> RolloutProgress:
        """Start no more deployments; running ones come to their end, or are undone when so ordered."""
        self._stop(RolloutPhase.ABORTED)
        self._is_cancelling = self._is_cancelling or order.is_cancelling
        return self._take("aborted", order.by, order.comment)

    @abort.validator
    def _may_abort(self, order: AbortOrder) -> None:
        # Somebody who has let the running ones end may think better of it, and have them undone.
        can_undo = order.is_cancelling and bool(self._running) and not self._is_cancelling
        self._refuse(order.by, None if can_undo else self._past_control())

    @workflow.update
    def set_parallelism(self, order: ParallelismOrder) -> RolloutProgress:
        """Change how many deployments run at a time."""
        self._parallelism = order.parallelism
        return self._take(f"parallelism {order.parallelism}", order.by, order.comment)

    @set_parallelism.validator
    def _may_set_parallelism(self, order: ParallelismOrder) -> None:
        problem = f"parallelism: {order.parallelism} must be from 1 to {PARALLELISM_MAX}"
        self._refuse(order.by, self._past_control() if 1 <= order.parallelism <= PARALLELISM_MAX else problem)

    @workflow.run
    async def run(self, request: RolloutRequest) -> RolloutReport:
        """Roll out, and report."""
        _refuse_unusable(request)
        _upsert(_TENANT.value_set(request.tenant), _CHANGE_ID.value_set(request.change_id))
        closing = asyncio.create_task(self._close_window())
        try:
            await self._roll_out()
        except asyncio.CancelledError:
            # A workflow is cancelled at most once, so that nothing interrupts the waiting.
            self._stop(RolloutPhase.CANCELLED)
            self._is_cancelling = True
            self._show()
            await workflow.wait_condition(lambda: not self._running)
            self._end(RolloutPhase.CANCELLED)
            raise
        finally:
            closing.cancel()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._report()

    async def _roll_out(self) -> None:
        """Reach every router, or stop before; the rest is noted as not reached."""
        while self._targets and self._stopped is None:
            is_canary = self._batch < 0 and self._request.canaries > 0
            self._batch = 0 if is_canary else max(self._batch, 0) + 1
            self._show()
            await self._run_batch(self._request.canaries if is_canary else self._request.batch_size)
            if not self._targets or self._stopped is not None:
                break
            await self._soak()
            if is_canary and self._request.is_paused_after_canaries and not self._is_paused:
                self._is_paused = True
                self._note = "paused after the canaries, as requested"
            await workflow.wait_condition(workflow.all_handlers_finished)
            if self._stopped is None and self._is_long():
                self._continue_as_new()
        for target in self._targets:
            self._records.note(target.router, Ending.NOT_REACHED)
        is_complete = Ending.NOT_REACHED not in self._records.endings.values()
        stopped = self._stopped or RolloutPhase.COMPLETED
        if stopped is RolloutPhase.WINDOW_CLOSED and is_complete:
            stopped = RolloutPhase.COMPLETED
        self._end(stopped)

    async def _run_batch(self, size: int) -> None:
        """Deploy to the next routers, at most `parallelism` at a time, and wait until all have ended."""
        started: list[asyncio.Task[None]] = []
        left = min(size, len(self._targets))
        while left:
            await workflow.wait_condition(self._is_next_due)
            if self._stopped is not None:
                break
            target = self._targets.popleft()
            self._running[target.router] = asyncio.create_task(self._deploy(target))
            started.append(self._running[target.router])
            left -= 1
        await workflow.wait_condition(lambda: not self._running)
        for task in started:
            task.result()  # a mistake in `_deploy` must not pass in silence

    async def _deploy(self, target: RolloutTarget) -> None:
        try:
            ending, reason = await self._run_child(target)
        finally:
            del self._running[target.router]
        self._records.note(target.router, ending, reason)
        is_spent = self._batch == 0 or self._records.failed > self._request.error_budget
        if ending.is_failure and is_spent:
            self._stop(RolloutPhase.BUDGET_SPENT)

    async def _run_child(self, target: RolloutTarget) -> tuple[Ending, str]:
        """Return what became of one router, and why when it is a failure."""
        child = await self._start_child(target)
        if isinstance(child, Ending):
            return child, f"another deployment had the router for {self._request.busy_seconds:g} s"
        await workflow.wait_condition(lambda: child.done() or self._is_cancelling)
        if not child.done():
            child.cancel()
        try:
            result = await child
        except ChildWorkflowError as error:
            return ending_of(error)
        return Ending(result.phase.value), ""

    async def _start_child(self, target: RolloutTarget) -> _Child | Ending:
        """Start a router's deployment once nobody else's is open; return the ending when it never comes to that."""
        deadline = workflow.time() + self._request.busy_seconds
        refusals = 0
        while True:
            try:
                return await workflow.start_child_workflow(
                    RouterDeployment.run,
                    self._request.deployment(target),
                    id=deployment_workflow_id(self._request.tenant, target.router),
                    # A rollout that is terminated leaves no router half done: its deployments undo themselves.
                    parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                    cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                )
            except WorkflowAlreadyStartedError:
                if workflow.time() >= deadline:
                    return Ending.BUSY
            pause = _BUSY_PAUSE_SECONDS[min(refusals, len(_BUSY_PAUSE_SECONDS) - 1)]
            refusals += 1
            await self._wait(min(pause, max(deadline - workflow.time(), 0.1)))
            await workflow.wait_condition(lambda: self._stopped is not None or not self._is_paused)
            if self._stopped is not None:
                return Ending.NOT_REACHED

    async def _soak(self) -> None:
        if self._request.soak_seconds > 0:
            self._is_soaking = True
            self._show()
            await self._wait(self._request.soak_seconds)
            self._is_soaking = False

    async def _wait(self, seconds: float) -> None:
        """Wait for so long, or until no more deployments are to be started."""
        try:
            await workflow.wait_condition(lambda: self._stopped is not None, timeout=seconds)
        except TimeoutError:
            return

    async def _close_window(self) -> None:
        """Stop the rollout at its deadline."""
        deadline = self._deadline()
        if deadline is None:
            return
        if deadline > workflow.time():
            await workflow.sleep(deadline - workflow.time())
        self._stop(RolloutPhase.WINDOW_CLOSED)

    def _continue_as_new(self) -> NoReturn:
        request = self._request
        carried = Carried(
            started_unix_seconds=self._started(),
            not_after_unix_seconds=self._deadline(),
            parallelism=self._parallelism,
            is_paused=self._is_paused,
            batch=self._batch,
            note=self._note,
            endings=self._records.endings,
            failures=tuple(self._records.failures),
        )
        workflow.continue_as_new(replace(request, targets=tuple(self._targets), carried=carried))

    def _is_long(self) -> bool:
        """Whether this run's history is long enough to go on in a new one."""
        is_due = self._records.reached >= self._request.routers_per_run
        return is_due or workflow.info().is_continue_as_new_suggested()

    def _is_next_due(self) -> bool:
        if self._stopped is not None:
            return True
        return not self._is_paused and len(self._running) < self._parallelism

    def _stop(self, why: RolloutPhase) -> None:
        """Start no more deployments; the first reason stands."""
        self._stopped = self._stopped or why
        self._show()

    def _past_control(self) -> str | None:
        if self._stopped is None:
            return None
        return f"takes no more orders: it has ended or is ending as {self._stopped}"

    def _refuse(self, by: str, problem: str | None) -> None:
        """Refuse an order that cannot be carried out, or of nobody.

        Raises:
            ApplicationError: Of type `RequestInvalid`.
        """
        if not by.strip():
            problem = "by: '' must name who orders"
        if problem is not None:
            raise to_application_error(RequestInvalidError(_name(self._request), problem))

    def _take(self, order: str, by: str, comment: str) -> RolloutProgress:
        self._note = f"{order} by {by}" + (f": {comment}" if comment else "")
        self._show()
        return self.progress()

    def _show(self) -> None:
        """Bring the phase, and the search attribute of that name, up to date."""
        if self._is_cancelling:
            phase = RolloutPhase.CANCELLING
        elif self._stopped is not None:
            phase = RolloutPhase.STOPPING
        elif self._is_paused:
            phase = RolloutPhase.PAUSED
        elif self._is_soaking:
            phase = RolloutPhase.SOAKING
        else:
            phase = RolloutPhase.DEPLOYING if self._batch > 0 else RolloutPhase.CANARY
        self._enter(phase)

    def _end(self, phase: RolloutPhase) -> None:
        self._stopped = phase
        self._enter(phase)

    def _enter(self, phase: RolloutPhase) -> None:
        if phase is not self._shown:
            self._shown = phase
            _upsert(_PHASE.value_set(phase.value))

    def _started(self) -> float:
        carried = self._request.carried
        return carried.started_unix_seconds if carried else workflow.info().start_time.timestamp()

    def _deadline(self) -> float | None:
        request = self._request
        if request.carried is not None:
            return request.carried.not_after_unix_seconds
        if request.window_seconds is None:
            return request.not_after_unix_seconds
        scheduled = workflow.info().typed_search_attributes.get(_SCHEDULED)
        return (scheduled or workflow.info().start_time).timestamp() + request.window_seconds

    def _report(self) -> RolloutReport:
        return RolloutReport(
            tenant=self._request.tenant,
            change_id=self._request.change_id,
            outcome=self._stopped or RolloutPhase.COMPLETED,
            counts=self._records.counts(),
            endings=self._records.endings,
            failures=tuple(self._records.failures),
            seconds=round(workflow.time() - self._started(), 3),
            note=self._note,
        )


def _refuse_unusable(request: RolloutRequest) -> None:
    if request.version > ROLLOUT_REQUEST_VERSION:
        reason = f"request is of version {request.version}, this worker knows up to {ROLLOUT_REQUEST_VERSION}"
        raise to_application_error(RequestTooNewError(_name(request), reason))
    problem = request.problem()
    if problem is not None:
        raise to_application_error(RequestInvalidError(_name(request), problem))


def _name(request: RolloutRequest) -> str:
    return f"rollout {request.change_id}"


def _upsert(*updates: SearchAttributeUpdate[str]) -> None:
    # The SDK leaves a type parameter of this function's argument open.
    workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]
