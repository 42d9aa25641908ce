"""From events to facts, on recorded histories of deployments and on events made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.converter import DataConverter

from load_tests.checker.facts import digests_of, run_of, status_of
from load_tests.checker.observations import Run, Status, Step, Target

HISTORIES = Path(__file__).parents[2] / "histories"


async def recorded(name: str, status: WorkflowExecutionStatus) -> Run:
    events = WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text()).events
    description = DescribeWorkflowExecutionResponse()
    description.workflow_execution_info.status = int(status)  # type: ignore[assignment]
    run_id = events[0].workflow_execution_started_event_attributes.first_execution_run_id
    return await run_of(Target("n", name, run_id), description, events, DataConverter.default)


def names(steps: tuple[Step, ...]) -> list[tuple[str, str, bool]]:
    return [(step.key.rpartition("/")[2], step.activity, step.is_completed) for step in steps]


async def test_completed_deployment() -> None:
    run = await recorded("router_deployment_deployed", WorkflowExecutionStatus.COMPLETED)

    assert run.is_first
    assert run.is_last
    assert isinstance(run.result, dict)
    assert run.result["phase"] == "deployed"
    assert names(run.steps) == [("apply", "apply", True), ("confirm", "confirm", True)]
    assert run.misfits == ()


async def test_failed_deployment() -> None:
    run = await recorded("router_deployment_rolled_back", WorkflowExecutionStatus.FAILED)

    assert run.status is Status.FAILED
    assert run.failure == "DeploymentRolledBack"
    assert names(run.steps) == [("apply", "apply", True), ("rolling-back", "roll_back", True)]


async def test_rollout_that_continues_as_new() -> None:
    run = await recorded("fleet_rollout_continued", WorkflowExecutionStatus.CONTINUED_AS_NEW)

    assert not run.is_last
    assert {child.workflow_id.partition("-")[0] for child in run.children} == {"deploy"}


async def test_timers() -> None:
    run = await recorded("fleet_rollout_completed", WorkflowExecutionStatus.COMPLETED)

    assert run.timers
    assert all(0 <= timer.late_seconds < 1 for timer in run.timers)


@pytest.mark.parametrize("status", WorkflowExecutionStatus)
def test_every_status_has_a_name(status: WorkflowExecutionStatus) -> None:
    assert status_of(int(status)).is_closed == (status.name not in {"RUNNING", "PAUSED"})  # type: ignore[arg-type]


def event(number: int, kind: EventType.ValueType, seconds: int = 0) -> HistoryEvent:
    return HistoryEvent(event_id=number, event_type=kind, event_time=Timestamp(seconds=seconds))


def test_workflow_task_that_is_tried_again_is_not_part_of_the_history_yet() -> None:
    began = event(1, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    scheduled = event(2, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
    started = event(3, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
    again = event(3, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, 9)
    completed = event(4, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)

    assert digests_of([began, scheduled, started]) == digests_of([began])
    assert len(digests_of([began, scheduled, started, completed])) == 4
    assert digests_of([began, scheduled, started, completed]) != digests_of(
        [began, scheduled, again, completed]
    )


async def test_worker_that_could_not_follow_the_history_is_noted() -> None:
    events = list(
        WorkflowHistory.from_json("w", (HISTORIES / "router_deployment_deployed.json").read_text()).events
    )
    failed = event(4, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
    failed.workflow_task_failed_event_attributes.cause = (
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    )
    description = DescribeWorkflowExecutionResponse()
    description.workflow_execution_info.status = int(WorkflowExecutionStatus.COMPLETED)  # type: ignore[assignment]
    run = await run_of(
        Target("n", "w", "r"), description, [*events[:3], failed, *events[3:]], DataConverter.default
    )

    assert run.misfits == (4,)
