"""Starts deployments so that none is lost and none runs twice, whatever happens to the reply."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.common.v1 import Payloads, Priority, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest, StartWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from worker.client import RETRY_BUDGET, RPC_TIMEOUT, is_transient
from worker.models.deployment import DeploymentRequest, DeploymentResult
from worker.tenancy import Tenant, Urgency, deployment_workflow_id
from worker.workflows.router_deployment import RouterDeployment

_Result = TypeVar("_Result")

_PAUSE_SECONDS = 0.5
"""Between calls of ours; the SDK's own back-off lies inside each call."""


@dataclass(frozen=True)
class Started:
    """An acknowledged start."""

    handle: WorkflowHandle[RouterDeployment, DeploymentResult]
    run_id: str
    is_new: bool
    """False when another deployment of the same router was open: `handle` is that one's."""
    attempts: int
    """Calls until the acknowledgement; above 1 when a reply was lost or late."""


async def start_deployment(
    client: Client,
    tenant: Tenant,
    request: DeploymentRequest,
    *,
    urgency: Urgency | None = None,
    budget: timedelta = RETRY_BUDGET,
) -> Started:
    """Start the deployment of one router and return once the server has acknowledged it.

    A call that times out may have started the workflow. It is repeated under the same workflow id and the
    same request id, by which the server recognises a start it has already made, also when that workflow has
    ended since; the SDK's own `start_workflow` would draw a new request id and could run it twice.

    Args:
        client: A client of the tenant's namespace.
        tenant: Whose queue it runs on; must be the request's.
        request: What to deploy.
        urgency: How soon its steps are handed out within the tenant's queue. None: as the tenant's record says.
        budget: No call is begun after this time; the SDK may go on trying the last for `RETRY_BUDGET`.

    Raises:
        RPCError: When the budget is spent, or at once for an error that trying again cannot mend.
        TenancyError: When the router's name cannot stand in a workflow id.
        ValueError: When the request is another tenant's.
    """
    if request.tenant != tenant.name:
        raise ValueError(f"request is of tenant {request.tenant}, not {tenant.name}")
    start = await start_request(
        client,
        tenant,
        RouterDeployment.__name__,
        deployment_workflow_id(tenant.name, request.router),
        request,
        urgency or tenant.urgency,
    )
    answer, attempts = await acknowledged(client, start, budget)
    handle = client.get_workflow_handle_for(RouterDeployment.run, start.workflow_id, run_id=answer.run_id)
    return Started(handle, answer.run_id, answer.started, attempts)


async def acknowledged(
    client: Client, start: StartWorkflowExecutionRequest, budget: timedelta
) -> tuple[StartWorkflowExecutionResponse, int]:
    """Send a start until the server has acknowledged it; return its answer and how many calls it took.

    Raises:
        RPCError: When the budget is spent, or at once for an error that trying again cannot mend.
    """
    deadline = asyncio.get_running_loop().time() + budget.total_seconds()
    attempts = 0
    while True:
        attempts += 1
        try:
            answer = await client.workflow_service.start_workflow_execution(
                start, retry=True, timeout=RPC_TIMEOUT
            )
        except RPCError as error:
            if not is_transient(error) or asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        return answer, attempts


async def result_of(handle: WorkflowHandle[Any, _Result], *, budget: timedelta = RETRY_BUDGET) -> _Result:
    """Wait for a workflow's result, over any loss of connection no longer than the budget.

    Raises:
        WorkflowFailureError: When the workflow did not end well; its cause is typed by `FailureType`.
        RPCError: When the server has not answered for the whole budget.
    """
    deadline: float | None = None
    while True:
        try:
            return await handle.result()
        except RPCError as error:
            now = asyncio.get_running_loop().time()
            deadline = deadline or now + budget.total_seconds()
            if not is_transient(error) or now >= deadline:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def start_request(
    client: Client,
    tenant: Tenant,
    workflow_type: str,
    workflow_id: str,
    request: object,
    urgency: Urgency,
) -> StartWorkflowExecutionRequest:
    """Return a start in the tenant's queue under a request id of its own, joining an open workflow of that id."""
    # The payload's context tells an encrypting codec whose key to use.
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    payloads = await client.data_converter.with_context(context).encode([request])
    return StartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name=workflow_type),
        task_queue=TaskQueue(name=tenant.task_queue),
        input=Payloads(payloads=payloads),
        identity=client.identity,
        request_id=str(uuid.uuid4()),
        priority=Priority(
            priority_key=urgency.priority_key,
            fairness_key=tenant.fairness_key,
            fairness_weight=tenant.weight,
        ),
        workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
    )
