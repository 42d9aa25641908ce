"""What a deployment's history tells: phases with their times, commands, checks, decision, ending.

The history is on the server, so this needs no worker: it works while all of them are down, and long after.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from worker.cli.exits import Exit
from worker.errors import FailureType
from worker.models.deployment import Decision, DeploymentRequest, DeploymentResult, Phase
from worker.models.steps import Diff

_Value = TypeVar("_Value")

_UNTOUCHED = frozenset({Phase.PRECHECK, Phase.BACKUP, Phase.RENDER, Phase.DIFF, Phase.AWAITING_APPROVAL})
"""Phases in which the router has not been told anything yet."""

_CODES = {
    Phase.DEPLOYED: Exit.GOOD,
    Phase.UNCHANGED: Exit.GOOD,
    Phase.REFUSED: Exit.NOT_DEPLOYED,
    Phase.ROLLED_BACK: Exit.NOT_DEPLOYED,
    Phase.ROLLBACK_FAILED: Exit.LOOK,
}


class Ending(StrEnum):
    """How the workflow closed, as Temporal has it."""

    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True)
class Step:
    """A phase and when it was entered."""

    phase: str
    """A `Phase`, or one of a newer release."""
    at: datetime


@dataclass(frozen=True)
class Record:
    """One deployment, as far as it has come."""

    workflow_id: str
    run_id: str
    request: DeploymentRequest | None = None
    started: datetime | None = None
    steps: tuple[Step, ...] = ()
    commands: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    revision: str = ""
    decision: Decision | None = None
    is_cancelling: bool = False
    ending: Ending = Ending.OPEN
    ended: datetime | None = None
    failure: str = ""
    """Why it ended badly, one line."""
    failure_type: str = ""
    """`FailureType` of the deployment's failure."""
    cause_type: str = ""
    """`FailureType` of what is underneath: what went wrong, or why it could not be undone."""

    @property
    def phase(self) -> str:
        """Where it stands; empty until a worker has taken it up."""
        return self.steps[-1].phase if self.steps else ""

    @property
    def seconds(self) -> float:
        """From start to end, or to now."""
        if self.started is None:
            return 0.0
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()

    @property
    def exit_code(self) -> Exit:
        """What the deployment's end means for a script; `GOOD` while it is open."""
        if self.ending is Ending.OPEN:
            return Exit.GOOD
        if self.phase in _CODES:
            return _CODES[Phase(self.phase)]
        # Closed from outside, before it could say how it stands.
        return Exit.NOT_DEPLOYED if not self.phase or self.phase in _UNTOUCHED else Exit.LOOK

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what `--json` shows of a deployment."""
        request = self.request
        return {
            "kind": "deployment",
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
            "tenant": request.tenant if request else "",
            "router": request.router if request else "",
            "site": request.site if request else "",
            "platform": request.platform if request else "",
            "change_id": request.change_id if request else "",
            "requested_by": request.requested_by if request else "",
            "phase": self.phase,
            "ending": self.ending.value,
            "is_cancelling": self.is_cancelling,
            "revision": self.revision,
            "commands": list(self.commands),
            "checks": list(self.checks),
            "decision": asdict(self.decision) if self.decision else None,
            "failure": self.failure,
            "failure_type": self.failure_type,
            "cause_type": self.cause_type,
            "started": self.started.isoformat() if self.started else None,
            "ended": self.ended.isoformat() if self.ended else None,
            "seconds": round(self.seconds, 3),
            "phases": [{"phase": step.phase, "at": step.at.isoformat()} for step in self.steps],
            "exit_code": int(self.exit_code),
        }


class RecordReader:
    """Builds a record from a run's history, event by event."""

    def __init__(self, workflow_id: str, run_id: str, converter: DataConverter) -> None:
        self.record = Record(workflow_id, run_id)
        self._converter = converter
        self._diffs: set[int] = set()
        self._read: dict[int, Callable[[HistoryEvent], Awaitable[dict[str, Any]]]] = {
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: self._started,
            EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: self._entered,
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: self._scheduled,
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: self._stepped,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: self._decided,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: self._cancelling,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: self._completed,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: self._failed,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: self._cancelled,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: self._terminated,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: self._timed_out,
        }

    async def feed(self, event: HistoryEvent) -> bool:
        """Take the next event; return whether the record has changed."""
        read = self._read.get(event.event_type)
        changes = await read(event) if read else {}
        self.record = replace(self.record, **changes)
        return bool(changes)

    async def _started(self, event: HistoryEvent) -> dict[str, Any]:
        request = await self._decode(
            event.workflow_execution_started_event_attributes.input, DeploymentRequest
        )
        return {"request": request, "started": _time(event.event_time)}

    async def _entered(self, event: HistoryEvent) -> dict[str, Any]:
        attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
        if "Phase" not in attributes.indexed_fields:
            return {}
        # Search attributes are never encrypted: the server itself has to read them.
        phase = str(json.loads(attributes.indexed_fields["Phase"].data))
        return {"steps": (*self.record.steps, Step(phase, _time(event.event_time)))}

    async def _scheduled(self, event: HistoryEvent) -> dict[str, Any]:
        if event.activity_task_scheduled_event_attributes.activity_type.name == "diff":
            self._diffs.add(event.event_id)
        return {}

    async def _stepped(self, event: HistoryEvent) -> dict[str, Any]:
        attributes = event.activity_task_completed_event_attributes
        if attributes.scheduled_event_id not in self._diffs:
            return {}
        return {"commands": (await self._decode(attributes.result, Diff)).commands}

    async def _decided(self, event: HistoryEvent) -> dict[str, Any]:
        call = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
        return {"decision": await self._decode(call.args, Decision)} if call.name == "decide" else {}

    async def _cancelling(self, _: HistoryEvent) -> dict[str, Any]:
        return {"is_cancelling": True}

    async def _completed(self, event: HistoryEvent) -> dict[str, Any]:
        result = await self._decode(
            event.workflow_execution_completed_event_attributes.result, DeploymentResult
        )
        return {
            "ending": Ending.COMPLETED,
            "ended": _time(event.event_time),
            "checks": result.checks,
            "revision": result.revision,
        }

    async def _failed(self, event: HistoryEvent) -> dict[str, Any]:
        failure = event.workflow_execution_failed_event_attributes.failure
        message, kind, cause = await self._explain(failure)
        return {
            "ending": Ending.FAILED,
            "ended": _time(event.event_time),
            "failure": message,
            "failure_type": kind,
            "cause_type": cause,
        }

    async def _cancelled(self, event: HistoryEvent) -> dict[str, Any]:
        return {"ending": Ending.CANCELLED, "ended": _time(event.event_time), "failure": "cancelled"}

    async def _terminated(self, event: HistoryEvent) -> dict[str, Any]:
        reason = event.workflow_execution_terminated_event_attributes.reason
        failure = f"terminated: {reason}" if reason else "terminated"
        return {"ending": Ending.TERMINATED, "ended": _time(event.event_time), "failure": failure}

    async def _timed_out(self, event: HistoryEvent) -> dict[str, Any]:
        return {"ending": Ending.TIMED_OUT, "ended": _time(event.event_time), "failure": "timed out"}

    async def _decode(self, payloads: Payloads, kind: type[_Value]) -> _Value:
        values = await self._converter.decode(payloads.payloads, [kind])
        return cast("_Value", values[0])

    async def _explain(self, failure: Failure) -> tuple[str, str, str]:
        """Return the failure's message and type, and the type of what is underneath."""
        kinds: list[str] = []
        error: BaseException | None = await self._converter.decode_failure(failure)
        message = getattr(error, "message", str(error))
        while error is not None:
            # Below ours, the worker's own exceptions come along, with their class as type.
            if isinstance(error, ApplicationError) and error.type in set(FailureType):
                kinds.append(str(error.type))
            error = error.__cause__
        return message, kinds[0] if kinds else "", kinds[-1] if kinds else ""


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
