"""Starts rollouts as `worker.starting.starter` starts deployments: none lost, none twice, whatever happens to the reply.

A started rollout is steered through its handle: `execute_update(FleetRollout.pause, Order("ana"))` and so on;
`worker.starting.starter.result_of` waits for its report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle

from worker.client import RETRY_BUDGET
from worker.errors import UsageError
from worker.models.rollout import RolloutReport, RolloutRequest
from worker.starting.starter import acknowledged, start_request
from worker.tenancy import Tenant, rollout_workflow_id
from worker.workflows.fleet_rollout import FleetRollout

RolloutHandle = WorkflowHandle[FleetRollout, RolloutReport]


@dataclass(frozen=True)
class StartedRollout:
    """An acknowledged start."""

    handle: RolloutHandle
    """Follows the rollout through all its runs."""
    run_id: str
    """Of the first run."""
    is_new: bool
    """False when a rollout of the same change was open: `handle` is that one's."""
    attempts: int
    """Calls until the acknowledgement; above 1 when a reply was lost or late."""


async def start_rollout(
    client: Client, tenant: Tenant, request: RolloutRequest, *, budget: timedelta = RETRY_BUDGET
) -> StartedRollout:
    """Start the rollout of a change and return once the server has acknowledged it.

    Args:
        client: A client of the tenant's namespace.
        tenant: Whose queue it runs on; must be the request's.
        request: What to deploy where.
        budget: No call is begun after this time; the SDK may go on trying the last for `RETRY_BUDGET`.

    Raises:
        UsageError: When the request cannot be used; one line.
        RPCError: When the budget is spent, or at once for an error that trying again cannot mend.
        ValueError: When the request is another tenant's.
    """
    refuse_unusable(tenant, request)
    workflow_id = rollout_workflow_id(tenant.name, request.change_id)
    start = await start_request(client, tenant, FleetRollout.__name__, workflow_id, request, request.urgency)
    answer, attempts = await acknowledged(client, start, budget)
    handle = RolloutHandle(
        client,
        workflow_id,
        result_run_id=answer.run_id,
        first_execution_run_id=answer.run_id,
        result_type=RolloutReport,
    )
    return StartedRollout(handle, answer.run_id, answer.started, attempts)


def open_rollout(client: Client, tenant: Tenant, change_id: str) -> RolloutHandle:
    """Return the handle of a change's rollout, the latest when there were several; calls nobody.

    Raises:
        TenancyError: When the change's name cannot stand in a workflow id.
    """
    return client.get_workflow_handle_for(FleetRollout.run, rollout_workflow_id(tenant.name, change_id))


def refuse_unusable(tenant: Tenant, request: RolloutRequest) -> None:
    """Refuse a request before anything is called.

    Raises:
        UsageError: When a value cannot be used; one line.
        ValueError: When the request is another tenant's.
    """
    if request.tenant != tenant.name:
        raise ValueError(f"request is of tenant {request.tenant}, not {tenant.name}")
    problem = request.problem()
    if problem is None and request.carried is not None:
        problem = "carried: is the rollout's own; leave it out"
    if problem is not None:
        raise UsageError(f"rollout {request.change_id}: {problem}")
