"""The workflow on a dev server: what ends well, and what is undone when a step fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from tests.worker.support import AFTER, BEFORE, FOREIGN, Bench, eventually, failure
from worker.models.deployment import (
    ApprovalPolicy,
    CheckSpec,
    Decision,
    DeploymentResult,
    OnTimeout,
    Phase,
    Progress,
)
from worker.simulator.store import Fault
from worker.starting.starter import Started, result_of
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
        revision="2",
        commands=("no hostname old", "hostname new"),
        checks=("configuration", "neighbours-up"),
    )
    assert await bench.running(router) == AFTER
    assert await bench.ledger(started) == [("apply", "apply", "applied"), ("confirm", "confirm", "applied")]


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
        "confirm",
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

    assert (result.phase, result.revision, result.commands) == (Phase.UNCHANGED, "1", ())
    assert await bench.ledger(started) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"router": "r-none"}, "RouterUnknown: r-none: there is no such router"),
        ({"platform": "abacus"}, "PlatformUnknown: {router}: platform 'abacus' is none of simulated"),
        (
            {"checks": (CheckSpec("weather"),)},
            "CheckUnknown: {router}: check 'weather' is none of bgp-session, configuration, interface, route",
        ),
        ({"expected_revision": "7"}, "RouterDrifted: {router}: is at revision 1, not 7"),
        ({"version": 2}, "RequestTooNew: {router}: request is of version 2, this worker knows up to 1"),
        ({"confirm_seconds": 0}, "RequestInvalid: {router}: confirm_seconds: 0 must be from 1 to 3600"),
        ({"attempts_max": 0}, "RequestInvalid: {router}: attempts_max: 0 must be at least 1"),
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


@pytest.mark.parametrize(
    ("method", "type_", "ledger"),
    [
        ("read", "DeploymentRefused", []),
        (
            "apply",
            "DeploymentRefused",
            [("apply", "apply", "withdrawn"), ("rolling-back", "rollback", "nothing-to-undo")],
        ),
        (
            "check",
            "DeploymentRolledBack",
            [("apply", "apply", "applied"), ("rolling-back", "rollback", "applied")],
        ),
        (
            "confirm",
            "DeploymentRolledBack",
            [("apply", "apply", "applied"), ("rolling-back", "rollback", "applied")],
        ),
    ],
)
async def test_failure_at_any_step_leaves_the_router_as_it_was(
    bench: Bench, method: str, type_: str, ledger: list[tuple[str, str, str]]
) -> None:
    router = await bench.router()
    bench.driver.failing[router] = method
    started = await bench.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == (type_, f"DriverMisused: {router}: {method} fails on purpose")
    assert await bench.running(router) == BEFORE
    assert await bench.ledger(started) == ledger


async def test_router_that_lies_about_a_change_is_found_out(bench: Bench) -> None:
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.LYING)
    started = await bench.start(router)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value) == ("DeploymentRefused", f"RouterDrifted: {router}: is at revision 1, not 2")
    assert await bench.running(router) == BEFORE


async def test_change_that_is_not_confirmed_in_time_is_undone_by_the_router(bench: Bench) -> None:
    router = await bench.router(latency_seconds=1.2)
    started = await bench.start(router, confirm_seconds=1)

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)

    assert failure(caught.value)[0] == "DeploymentRolledBack"
    assert await bench.running(router) == BEFORE
    assert await bench.ledger(started) == [
        ("apply", "apply", "applied"),
        ("apply#reverted", "revert", "applied"),
        ("rolling-back", "rollback", "reverted"),
    ]


async def awaiting_approval(bench: Bench, router: str, **changes: Any) -> Started:
    started = await bench.start(router, requested_by="ana", **{"approval": ApprovalPolicy(60), **changes})

    async def is_waiting() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL

    await eventually(is_waiting)
    return started


async def test_approved_change_is_applied(bench: Bench) -> None:
    started = await awaiting_approval(bench, await bench.router())
    decision = Decision("luis", is_approved=True)

    progress = await started.handle.execute_update(RouterDeployment.decide, decision)

    assert progress == Progress(
        Phase.AWAITING_APPROVAL,
        (Phase.PRECHECK, Phase.BACKUP, Phase.RENDER, Phase.DIFF),
        commands=("no hostname old", "hostname new"),
        decision=decision,
    )
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED


async def test_denied_change_is_refused(bench: Bench) -> None:
    router = await bench.router()
    started = await awaiting_approval(bench, router)

    await started.handle.execute_update(
        RouterDeployment.decide, Decision("luis", is_approved=False, comment="not on a Friday")
    )

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)
    assert failure(caught.value) == (
        "DeploymentRefused",
        f"ApprovalDenied: {router}: refused by luis: not on a Friday",
    )
    assert await bench.ledger(started) == []


@pytest.mark.parametrize(
    ("by", "problem"),
    [
        ("ana", "by: 'ana' asked for this change; somebody else must decide"),
        (" ", "by: '' must name who decides"),
    ],
)
async def test_decision_by_the_wrong_person_changes_nothing(bench: Bench, by: str, problem: str) -> None:
    router = await bench.router()
    started = await awaiting_approval(bench, router)

    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await started.handle.execute_update(RouterDeployment.decide, Decision(by, is_approved=True))

    assert str(caught.value.cause) == f"RequestInvalid: {router}: {problem}"
    assert (await started.handle.query(RouterDeployment.progress)).decision is None
    await started.handle.cancel()


async def test_change_that_needs_no_approval_takes_no_decision(bench: Bench) -> None:
    router = await bench.router()
    started = await bench.start(router)
    await result_of(started.handle)
    slow = await bench.start(await bench.router(latency_seconds=0.5))

    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await slow.handle.execute_update(RouterDeployment.decide, Decision("luis", is_approved=True))

    assert "does not wait for approval: it is in phase" in str(caught.value.cause)
    await result_of(slow.handle)


@pytest.mark.parametrize(
    ("on_timeout", "reason"),
    [
        (OnTimeout.REFUSE, "ApprovalTimedOut: {router}: nobody decided within 0.5 s"),
        (OnTimeout.APPROVE, None),
    ],
)
async def test_silence_is_what_the_policy_says(
    bench: Bench, on_timeout: OnTimeout, reason: str | None
) -> None:
    router = await bench.router()
    started = await bench.start(router, approval=ApprovalPolicy(0.5, on_timeout))

    if reason is None:
        assert (await result_of(started.handle)).phase is Phase.DEPLOYED
        return
    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)
    assert failure(caught.value) == ("DeploymentRefused", reason.format(router=router))
    assert await bench.running(router) == BEFORE


async def test_router_that_changed_while_approval_was_awaited_is_left_alone(bench: Bench) -> None:
    router = await bench.router()
    started = await awaiting_approval(bench, router)
    bench.driver.before_apply.add(router)

    await started.handle.execute_update(RouterDeployment.decide, Decision("luis", is_approved=True))

    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)
    assert failure(caught.value) == ("DeploymentRefused", f"RouterDrifted: {router}: is at revision 2, not 1")
    assert await bench.running(router) == FOREIGN


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
        f"ChecksFailed: {router}: checks failed: configuration (it runs something else)",
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
