"""Operations and runs with as little said as a test needs."""

from __future__ import annotations

from typing import Any

from load_tests.checker.observations import Observations, Run, Status, Target
from load_tests.models import ClientKind, Operation, OperationKind, Outcome
from worker.simulator.store import Entry, Kind
from worker.simulator.store import Outcome as Effect

NAMESPACE = "production"


def operation(kind: OperationKind, workflow_id: str = "w", key: str = "", **changes: Any) -> Operation:
    values: dict[str, Any] = {
        "number": 1,
        "client": ClientKind.USER,
        "tenant": "chogar",
        "zone": "",
        "namespace": NAMESPACE,
        "intended": 100.0,
        "sent": 100.0,
        "ended": 100.5,
        "outcome": Outcome.OK,
        **changes,
    }
    return Operation(kind=kind, workflow_id=workflow_id, key=key, **values)


def start(workflow_id: str = "w", key: str = "request", **changes: Any) -> Operation:
    return operation(OperationKind.START, workflow_id, key, **{"run_id": "r", **changes})


def signal(key: str, sent: float, ended: float, outcome: Outcome = Outcome.OK) -> Operation:
    return operation(OperationKind.SIGNAL, key=key, sent=sent, ended=ended, outcome=outcome)


def run(run_id: str = "r", workflow_id: str = "w", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "workflow_type": "Test",
        "status": Status.COMPLETED,
        "request_id": "request",
        "first_run_id": run_id,
        **changes,
    }
    return Run(target=Target(NAMESPACE, workflow_id, run_id), **values)


def seen(*runs: Run, **changes: Any) -> Observations:
    return Observations(runs={one.target.run_id: one for one in runs}, **changes)


def entry(key: str, outcome: Effect = Effect.APPLIED, kind: Kind = Kind.APPLY) -> Entry:
    return Entry(1, 100.0, "router", key, kind, outcome, 2)
