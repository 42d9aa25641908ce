"""Moving a tenant from one strategy to another without losing a running deployment.

The tenant's record lives in the stack, so nothing here edits it: `steps` says which steps of the procedure hold
and which comes next, from the record and from what `worker.administration.lanes.observe` saw. While `moving_from` stands in
the record, workers serve the old lane and the new one, and new deployments go to the new one.

Workflow ids are unique within a namespace. A move within one therefore keeps the promise of one open deployment
per router by itself. A running workflow cannot go to another namespace, and there the same id is free: so
`check_may_start` refuses new deployments of such a tenant until its old namespace has none open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.lanes import LaneState, count_open_in
from worker.client import RPC_TIMEOUT
from worker.errors import FailureType, UsageError
from worker.tenancy import (
    Lane,
    Strategy,
    Tenant,
    TenantsFile,
    deployment_workflow_id,
    pool_of_worker_deployment,
)


class TenantMovingError(UsageError):
    """The tenant is between two namespaces, and the old one still has open deployments."""

    failure_type: ClassVar[FailureType] = FailureType.TENANT_MOVING


class StepState(StrEnum):
    """Whether a step of the procedure holds."""

    DONE = "done"
    NOW = "now"
    LATER = "later"


@dataclass(frozen=True)
class Step:
    """One step of a move."""

    what: str
    state: StepState
    detail: str
    """What is seen, and what to do."""


async def check_may_start(
    client: Client, tenants: TenantsFile, tenant: Tenant, router: str | None = None
) -> None:
    """Refuse to start a deployment that could run beside another of the same router in the old namespace.

    Args:
        client: A client of any namespace.
        tenants: Where the tenant lives.
        tenant: Who wants to start.
        router: What will be deployed to. Counting open deployments may be a second behind; the router's own
            is asked for by its id, which is exact.

    Raises:
        TenantMovingError: While the tenant's old namespace has open deployments.
        RPCError: When the server cannot be asked.
    """
    old, new = tenants.old_lane_of(tenant), tenants.lane_of(tenant)
    if old is None or old.namespace == new.namespace:
        return
    count = await count_open_in(client, tenant, old)
    if not count and router is not None:
        count = int(await _is_open(client, old.namespace, deployment_workflow_id(tenant.name, router)))
    if count:
        raise TenantMovingError(
            f"{TenantMovingError.failure_type}: tenant {tenant.name} moves from namespace {old.namespace} to "
            f"{new.namespace}, and {count} open there must end first: python -m worker.tenants drain {tenant.name}"
        )


def lanes_of(tenants: TenantsFile, tenant: Tenant) -> tuple[Lane, ...]:
    """Return the tenant's lane, and while it moves the old one after it."""
    old = tenants.old_lane_of(tenant)
    return (tenants.lane_of(tenant), old) if old else (tenants.lane_of(tenant),)


def other_lanes(tenants: TenantsFile, tenant: Tenant) -> tuple[Lane, ...]:
    """Return the lanes that the tenant would have under other strategies, where a move may have left something."""
    lanes = {tenants.lane_of(Tenant(tenant.name, strategy)) for strategy in Strategy}
    return tuple(sorted(lanes - {tenants.lane_of(tenant)}))


def steps(
    tenants: TenantsFile, tenant: Tenant, to: Strategy, states: Mapping[Lane, LaneState]
) -> tuple[Step, ...]:
    """Return the procedure of a move with what holds of it.

    Args:
        tenants: The tenants file that the cluster has.
        tenant: Who moves.
        to: Where to.
        states: Of the tenant's lane and of `other_lanes`.

    Raises:
        UsageError: When another move of the tenant is under way.
    """
    is_begun = tenant.strategy is to
    if tenant.moving_from and not is_begun:
        raise UsageError(
            f"tenants.{tenant.name}: is moving from {tenant.moving_from} to {tenant.strategy}; "
            f"finish that first: python -m worker.tenants move {tenant.name} --to {tenant.strategy}"
        )
    lane = tenants.lane_of(tenant)
    left = {other: states[other] for other in other_lanes(tenants, tenant) if is_begun}
    # Where only the workers change, those of the other pool poll the lane too: what counts is who gets its work.
    leader = pool_of_worker_deployment(states[lane].follows)
    is_served = is_begun and states[lane].workers > 0 and leader in {None, tenant.worker_pool}
    is_drained = is_begun and all(state.is_drained for state in left.values())
    old = "; ".join(str(state) for state in left.values() if not state.is_drained)
    if any(state.windows for state in left.values()):
        old += ". Windows do not move by themselves: routers windows"
    record = f"tenants.{tenant.name}: strategy: {to}, moving_from: {tenant.strategy}; pulumi up"
    rule = _rule(tenants, tenant, to)
    is_finished = is_begun and tenant.moving_from is None
    lost = "put moving_from back, nobody serves it: " if is_finished else ""
    return _in_order(
        ("record the move", is_begun, "both lanes are served" if is_begun else f"{record}. {rule}"),
        ("new lane is served", is_served, _service(states[lane]) if is_begun else ""),
        ("old lane is drained", is_drained, f"{lost}{old}" if old else ""),
        ("end the move", is_finished, f"tenants.{tenant.name}: remove moving_from; pulumi up"),
    )


def _service(state: LaneState) -> str:
    follows = f", work goes to {state.follows}" if state.follows else ""
    return f"{state.lane}: {state.workers} workers{follows}"


def _in_order(*found: tuple[str, bool, str]) -> tuple[Step, ...]:
    """Return the steps: all that do not hold are for later, but the first."""
    result: list[Step] = []
    for what, holds, detail in found:
        is_next = all(step.state is StepState.DONE for step in result)
        state = StepState.DONE if holds else StepState.NOW if is_next else StepState.LATER
        result.append(Step(what, state, detail))
    return tuple(result)


def _rule(tenants: TenantsFile, tenant: Tenant, to: Strategy) -> str:
    target = Tenant(tenant.name, to)
    old, new = tenants.lane_of(tenant), tenants.lane_of(target)
    if old == new:
        return "The queue stays; running deployments go on with the new workers"
    if old.namespace == new.namespace:
        return "Running deployments end in the old queue, new ones start in the new"
    return (
        "Running deployments cannot go to another namespace: they end in the old one, "
        f"and until then new ones are refused ({FailureType.TENANT_MOVING})"
    )


async def _is_open(client: Client, namespace: str, workflow_id: str) -> bool:
    try:
        answer = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace=namespace, execution=WorkflowExecution(workflow_id=workflow_id)
            ),
            retry=True,
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    status = answer.workflow_execution_info.status
    return status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
