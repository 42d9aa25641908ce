"""From a history's events to the facts that the invariants need."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.converter import DataConverter

from load_tests.checker.observations import (
    Digest,
    Message,
    MessageKind,
    Run,
    Status,
    Step,
    Target,
    Timer,
)
from load_tests.checker.tokens import token_of

_FINGERPRINT_BYTES = 8
"""Of SHA-256: two different events of one history are taken for the same once in 2^64."""
_TENTATIVE = frozenset(
    {EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED}
)
_MISFIT = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


async def run_of(
    target: Target,
    description: DescribeWorkflowExecutionResponse,
    events: Sequence[HistoryEvent],
    converter: DataConverter,
    *,
    has_digests: bool = True,
) -> Run:
    """Return what is to be known of a run.

    Args:
        target: With its run id.
        description: What the store says of it.
        events: Its whole history.
        converter: Decodes what workflows and clients have encoded.
        has_digests: Whether its events are to be compared with a sample of it; they take some room.

    Raises:
        PayloadUnreadableError: When a payload is encrypted under a key that is not at hand.
    """
    info = description.workflow_execution_info
    began = events[0].workflow_execution_started_event_attributes
    last = events[-1]
    return Run(
        target=target,
        workflow_type=info.type.name,
        status=status_of(info.status),
        request_id=_request_id(description),
        first_run_id=began.first_execution_run_id or target.run_id,
        parent_id=began.parent_workflow_execution.workflow_id,
        continued_from=began.continued_execution_run_id,
        continued_as=_continued_as(last),
        children=tuple(_children(target.namespace, events)),
        result=await _first(last.workflow_execution_completed_event_attributes.result, converter),
        failure=_failure_type(last.workflow_execution_failed_event_attributes.failure),
        messages=tuple([message async for message in _messages(events, converter)]),
        timers=tuple(_timers(events)),
        steps=await _steps(events, converter),
        digests=digests_of(events) if has_digests else (),
        misfits=tuple(
            event.event_id for event in events if event.workflow_task_failed_event_attributes.cause == _MISFIT
        ),
    )


def status_of(number: WorkflowExecutionStatus.ValueType) -> Status:
    """Return the status that Temporal has a number for."""
    return Status[WorkflowExecutionStatus.Name(number).removeprefix("WORKFLOW_EXECUTION_STATUS_")]


def digests_of(events: Iterable[HistoryEvent]) -> tuple[Digest, ...]:
    """Return the events of a history that are there to stay.

    While a workflow task is tried again, the server shows its scheduled and its started event at the end of the
    history without having written them, and they may come again as others.
    """
    settled = list(events)
    while settled and settled[-1].event_type in _TENTATIVE:
        settled.pop()
    return tuple(Digest(event.event_id, event.event_type, _fingerprint(event)) for event in settled)


def _fingerprint(event: HistoryEvent) -> bytes:
    return hashlib.sha256(event.SerializeToString(deterministic=True)).digest()[:_FINGERPRINT_BYTES]


def _request_id(description: DescribeWorkflowExecutionResponse) -> str:
    """Return by which request the run was started; others may have joined it since."""
    infos = description.workflow_extended_info.request_id_infos
    started = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    return next((key for key, info in infos.items() if info.event_type == started), "")


def _continued_as(last: HistoryEvent) -> str:
    """Return the next run of the line: continued as new, or tried again after it failed."""
    return (
        last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        or last.workflow_execution_completed_event_attributes.new_execution_run_id
        or last.workflow_execution_failed_event_attributes.new_execution_run_id
        or last.workflow_execution_timed_out_event_attributes.new_execution_run_id
    )


def _children(namespace: str, events: Iterable[HistoryEvent]) -> Iterable[Target]:
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            started = event.child_workflow_execution_started_event_attributes
            child: WorkflowExecution = started.workflow_execution
            yield Target(started.namespace or namespace, child.workflow_id, child.run_id)


def _timers(events: Iterable[HistoryEvent]) -> Iterable[Timer]:
    """Yield every timer that fired, in the order of firing."""
    started: dict[int, HistoryEvent] = {}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            started[event.event_id] = event
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            fired = event.timer_fired_event_attributes
            begin = started[fired.started_event_id]
            duration = begin.timer_started_event_attributes.start_to_fire_timeout
            yield Timer(
                timer_id=fired.timer_id,
                started=_seconds(begin.event_time),
                seconds=duration.ToNanoseconds() / 1e9,
                fired=_seconds(event.event_time),
            )


async def _steps(events: Iterable[HistoryEvent], converter: DataConverter) -> tuple[Step, ...]:
    """Return every activity whose input has an idempotency key."""
    scheduled: dict[int, tuple[str, str]] = {}
    completed: set[int] = set()
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            activity = event.activity_task_scheduled_event_attributes
            argument = await _first(activity.input, converter)
            fields = cast("dict[str, object]", argument) if isinstance(argument, dict) else {}
            key = fields.get("idempotency_key")
            if isinstance(key, str):
                scheduled[event.event_id] = (key, activity.activity_type.name)
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            completed.add(event.activity_task_completed_event_attributes.scheduled_event_id)
    return tuple(Step(key, name, number in completed) for number, (key, name) in scheduled.items())


async def _messages(events: Iterable[HistoryEvent], converter: DataConverter) -> AsyncIterator[Message]:
    """Yield every message that carries a token, in the order of the history."""
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            kind, payloads = MessageKind.SIGNAL, event.workflow_execution_signaled_event_attributes.input
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            accepted = event.workflow_execution_update_accepted_event_attributes
            kind, payloads = MessageKind.UPDATE, accepted.accepted_request.input.args
        else:
            continue
        token = token_of(await _first(payloads, converter))
        if token is not None:
            yield Message(token, kind, event.event_id)


async def _first(payloads: Payloads, converter: DataConverter) -> object:
    """Return the first value as plain JSON values; None when there is none."""
    first: list[Payload] = list(payloads.payloads[:1])
    return (await converter.decode(first))[0] if first else None


def _failure_type(failure: Failure) -> str:
    """Return the outermost type that an application gave, or Temporal's own name of what failed."""
    while True:
        kind = failure.WhichOneof("failure_info")
        if kind is None or kind == "application_failure_info":
            return failure.application_failure_info.type
        if not failure.HasField("cause"):
            return kind.removesuffix("_info")
        failure = failure.cause


def _seconds(time: Timestamp) -> float:
    return time.ToNanoseconds() / 1e9
