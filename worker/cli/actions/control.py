"""What people tell a running deployment or rollout: decide, pause, resume, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from worker.cli.actions.report import handle_of, view_of
from worker.cli.errors import CommandError
from worker.cli.exits import Exit
from worker.cli.output import Output
from worker.cli.pollers import refuse_without_workers
from worker.cli.record import Ending
from worker.cli.rollout_watching import watch_rollout
from worker.cli.session import DEPLOYMENT, ROLLOUT, Found, Session
from worker.cli.watching import watch_deployment
from worker.models.deployment import Decision, Progress
from worker.models.rollout import AbortOrder, Order, ParallelismOrder, RolloutPhase, RolloutProgress

_Result = TypeVar("_Result")


async def decide(session: Session, target: str, decision: Decision) -> int:
    """Approve or refuse a deployment that waits for it; return the exit code.

    Raises:
        WorkflowUpdateFailedError: When the deployment does not take the decision.
    """
    found = await _open(session, target, DEPLOYMENT)
    await _update(found, "decide", decision, Progress)
    verb = "approved" if decision.is_approved else "rejected"
    workflow_id = found.description.id
    session.output.say(f"{workflow_id}: {verb} by {decision.by}")
    session.output.emit({"workflow_id": workflow_id, "decision": verb, "by": decision.by})
    return Exit.GOOD


async def pause(session: Session, target: str, order: Order) -> int:
    """Let a rollout start no more deployments; return the exit code."""
    found = await _open(session, target, ROLLOUT)
    progress = await _update(found, "pause", order, RolloutProgress)
    return _tell(session.output, found, progress)


async def resume(session: Session, target: str, order: Order, parallelism: int | None) -> int:
    """Let a rollout go on, perhaps with another parallelism; return the exit code."""
    found = await _open(session, target, ROLLOUT)
    if parallelism is not None:
        change = ParallelismOrder(order.by, parallelism, order.comment)
        progress = await _update(found, "set_parallelism", change, RolloutProgress)
        if progress.phase is not RolloutPhase.PAUSED:
            return _tell(session.output, found, progress)
    progress = await _update(found, "resume", order, RolloutProgress)
    return _tell(session.output, found, progress)


async def cancel(session: Session, target: str, *, is_waiting: bool) -> int:
    """Undo a deployment or a rollout's running ones; return the exit code.

    With `is_waiting` it returns when every router concerned is in a known state: 0 when it was cancelled.
    """
    found = await session.find(target)
    _refuse_closed(found)
    description = found.description
    await found.client.get_workflow_handle(description.id, run_id=description.run_id).cancel()
    output = session.output
    if not is_waiting:
        output.say(
            f"{description.id}: is asked to undo what it did; `routers watch {description.id}` shows it"
        )
        output.emit({"workflow_id": description.id, "is_cancelling": True})
        return Exit.GOOD
    if found.is_rollout:
        view = await watch_rollout(output, handle_of(found), view_of(found))
        is_cancelled = view.phase == RolloutPhase.CANCELLED
        code = view.exit_code
    else:
        record = await watch_deployment(output, found.client, description.id, description.run_id)
        is_cancelled = record.ending is Ending.CANCELLED
        code = record.exit_code
    if code is Exit.LOOK or not is_cancelled:
        if not is_cancelled:
            output.hint(f"{description.id}: had come to its end before it could be cancelled")
        return code if code is Exit.LOOK else Exit.FAILED
    return Exit.GOOD


async def abort(session: Session, target: str, order: AbortOrder) -> int:
    """Let a rollout end after what runs now; return the exit code."""
    found = await _open(session, target, ROLLOUT)
    progress = await _update(found, "abort", order, RolloutProgress)
    return _tell(session.output, found, progress)


async def _update(found: Found, name: str, order: object, result: type[_Result]) -> _Result:
    """Give an order to the workflow and return its answer.

    Raises:
        WorkflowUpdateFailedError: When the workflow does not take it.
        CommandError: Of type `NotOpen`, when it has ended meanwhile.
    """
    description = found.description
    # A rollout is followed from run to run; a deployment is meant as it was found.
    run_id = None if found.is_rollout else description.run_id
    handle: WorkflowHandle[Any, Any] = found.client.get_workflow_handle(description.id, run_id=run_id)
    try:
        # The SDK leaves the type of this method's `args` open. The id makes a repeated call the same order.
        answer: _Result = await handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
            name, order, id=str(uuid4()), result_type=result
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise CommandError(f"{description.id}: has ended", "NotOpen") from error
        raise
    return answer


async def _open(session: Session, target: str, kind: str) -> Found:
    """Return an open workflow that somebody serves, or else an update would wait for ever."""
    found = await session.find(target, kinds=(kind,))
    _refuse_closed(found)
    await refuse_without_workers(found.client, found.tenant)
    return found


def _refuse_closed(found: Found) -> None:
    if found.description.close_time is not None:
        ended = f"{found.description.close_time:%Y-%m-%d %H:%M:%S} UTC"
        raise CommandError(f"{found.description.id}: has ended at {ended}", "NotOpen")


def _tell(output: Output, found: Found, progress: RolloutProgress) -> int:
    view = view_of(found)
    output.say(f"{found.description.id}: {progress.note}")
    output.emit(
        replace(
            view,
            phase=progress.phase.value,
            total=progress.total,
            batch=progress.batch,
            parallelism=progress.parallelism,
            counts=progress.counts,
            running=progress.running,
            failures=progress.failures,
            note=progress.note,
        ).to_dict()
    )
    return Exit.GOOD
