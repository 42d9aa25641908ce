"""The workflow on a dev server: what ends well, and what is undone when a step fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from tests.worker.support import AFTER, BEFORE, FOREIGN, Bench, eventually, failure
from worker.models import DeploymentResult, Phase
from worker.simulator.store import Fault
from worker.starter import result_of
from worker.tenancy import SEARCH_ATTRIBUTES
from worker.workflows.router_deployment import RouterDeployment


async def test_deployment_applies_once_and_reports(bench: Bench) -> None:
    router = await bench.router()
    started = await bench.start(router)

    result = await result_of(started.handle)

    assert result == DeploymentResult(
        tenant=bench.tenant.name,
        router=router,
        change_id="change-1",
        phase=Phase.DEPLOYED,
        revision=2,
        commands=("no hostname old", "hostname new"),
        checks=("running-is-desired", "neighbours-up"),
    )
    assert await bench.running(router) == AFTER
    assert await bench.ledger(started) == [("apply", "apply", "applied")]


async def test_deployment_shows_progress_and_search_attributes(bench: Bench) -> None:
    router = await bench.router()
    started = await bench.start(router)
    await result_of(started.handle)

    progress = await started.handle.query(RouterDeployment.progress)
    described = (await started.handle.describe()).raw_description.workflow_execution_info

    assert progress.phase is Phase.DEPLOYED
    assert [str(phase) for phase in progress.completed] == [
        "precheck",
        "backup",
        "render",
        "diff",
        "apply",
        "verify",
    ]
    attributes = described.search_attributes.indexed_fields
    assert {name: json.loads(attributes[name].data) for name in SEARCH_ATTRIBUTES} == {
        "Tenant": bench.tenant.name,
        "Router": router,
        "Site": "madrid",
        "ChangeId": "change-1",
        "Phase": "deployed",
    }


async def test_deployment_of_what_runs_already_touches_nothing(bench: Bench) -> None:
    router = await bench.router()
    started = await bench.start(router, variables={"name": "old"})

    result = await result_of(started.handle)

    assert (result.phase, result.revision, result.commands) == (Phase.UNCHANGED, 1, ())
    assert await bench.ledger(started) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"router": "r-none"}, "RouterUnknown: r-none: there is no such router"),
        ({"platform": "iosxr"}, "PlatformMismatch: {router}: is of platform simulated, not iosxr"),
        ({"variables": {}}, "TemplateInvalid: {router}: variable 'name' has no value"),
        ({"template": "! nothing"}, "TemplateInvalid: {router}: template renders to nothing"),
    ],
)
async def test_deployment_is_refused_before_anything_is_applied(
    bench: Bench, changes: dict[str, Any], reason: str
) -> None:
    router = await bench.router()
    started = await bench.start(**{"router": router, **changes})

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == ("DeploymentRefused", reason.format(router=router))
    assert await bench.running(router) == BEFORE
    assert await bench.ledger(started) == []


async def test_deployment_on_another_tenants_router_is_refused(bench: Bench) -> None:
    await bench.routers.put_router("r-foreign", "somebody", running=BEFORE)
    started = await bench.start("r-foreign")

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == (
        "DeploymentRefused",
        f"RouterNotOwned: r-foreign: is not a router of tenant {bench.tenant.name}",
    )
    assert await bench.running("r-foreign") == BEFORE


async def test_unreachable_router_is_tried_again(bench: Bench) -> None:
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.UNREACHABLE, times=1)
    started = await bench.start(router)

    assert (await result_of(started.handle)).phase is Phase.DEPLOYED


async def test_router_that_stays_unreachable_is_refused(bench: Bench) -> None:
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.UNREACHABLE, times=2)
    started = await bench.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == ("DeploymentRefused", f"RouterUnreachable: {router}: cannot be reached")


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (
            Fault.HALF_APPLIED,
            "half-applied",
            "ChangeHalfApplied: {router}: change {key} is half-applied",
        ),
        (
            Fault.REFUSE_VERIFY,
            "applied",
            "ChecksFailed: {router}: checks failed: neighbours-up (no neighbour answers)",
        ),
    ],
)
async def test_failure_after_applying_is_rolled_back(
    bench: Bench, fault: Fault, outcome: str, reason: str
) -> None:
    router = await bench.router()
    await bench.routers.set_fault(router, fault)
    started = await bench.start(router)
    key = f"{started.handle.id}/{started.run_id}/apply"

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == ("DeploymentRolledBack", reason.format(router=router, key=key))
    assert await bench.running(router) == BEFORE
    assert await bench.ledger(started) == [
        ("apply", "apply", outcome),
        ("rolling-back", "rollback", "applied"),
    ]
    assert (await started.handle.query(RouterDeployment.progress)).phase is Phase.ROLLED_BACK


async def test_router_changed_by_somebody_else_is_left_alone(bench: Bench) -> None:
    """Between backup and apply, somebody else's change arrives: it stands, ours is refused."""
    router = await bench.router()
    bench.driver.before_apply.add(router)
    started = await bench.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == (
        "DeploymentRefused",
        f"RouterDrifted: {router}: is at revision 2, not 1",
    )
    assert await bench.running(router) == FOREIGN
    assert await bench.ledger(started) == [
        ("apply", "apply", "withdrawn"),
        ("rolling-back", "rollback", "nothing-to-undo"),
    ]


async def test_roll_back_that_fails_says_so_and_touches_nothing(bench: Bench) -> None:
    router = await bench.router()
    bench.driver.before_check.add(router)
    started = await bench.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    reasons = (
        f"ChecksFailed: {router}: checks failed: running-is-desired (it runs something else)",
        f"RouterDrifted: {router}: is at revision 3, not 2",
    )
    assert failure(caught.value) == ("RollbackFailed", "; then ".join(reasons))
    assert await bench.running(router) == FOREIGN
    assert (await started.handle.query(RouterDeployment.progress)).phase is Phase.ROLLBACK_FAILED


@pytest.mark.parametrize(
    ("phase", "final", "ledger"),
    [
        (Phase.BACKUP, Phase.REFUSED, []),
        (
            Phase.APPLY,
            Phase.ROLLED_BACK,
            [("apply", "apply", "applied"), ("rolling-back", "rollback", "applied")],
        ),
        (
            Phase.VERIFY,
            Phase.ROLLED_BACK,
            [("apply", "apply", "applied"), ("rolling-back", "rollback", "applied")],
        ),
    ],
)
async def test_cancelled_deployment_leaves_the_router_as_it_was(
    bench: Bench, phase: Phase, final: Phase, ledger: list[tuple[str, str, str]]
) -> None:
    router = await bench.router(latency_seconds=0.4)
    started = await bench.start(router)

    async def is_in_phase() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is phase

    await eventually(is_in_phase)
    await started.handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert isinstance(caught.value.cause, CancelledError)
    assert (await started.handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert (await started.handle.query(RouterDeployment.progress)).phase is final
    assert await bench.running(router) == BEFORE
    assert await bench.ledger(started) == ledger


async def test_cancelled_while_rolling_back_finishes_it(bench: Bench) -> None:
    router = await bench.router(latency_seconds=0.4)
    await bench.routers.set_fault(router, Fault.REFUSE_VERIFY)
    started = await bench.start(router)

    async def is_rolling_back() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is Phase.ROLLING_BACK

    await eventually(is_rolling_back)
    await started.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await result_of(started.handle)

    assert await bench.running(router) == BEFORE
    assert (await started.handle.query(RouterDeployment.progress)).phase is Phase.ROLLED_BACK
