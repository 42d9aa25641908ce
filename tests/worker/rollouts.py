"""What the tests of rollouts and of their windows need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.worker.support import TEMPLATE, Bench, eventually
from worker.models.deployment import ApprovalPolicy, Decision, Phase
from worker.models.rollout import RolloutProgress, RolloutRequest, RolloutTarget
from worker.starting.rollouts import RolloutHandle, start_rollout
from worker.tenancy import Tenant, deployment_workflow_id
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment

HELD = ApprovalPolicy(timeout_seconds=60)
"""Each deployment waits until the test lets it go: nothing depends on how fast the machine is."""


def request(tenant: Tenant, routers: list[str], **changes: Any) -> RolloutRequest:
    values: dict[str, Any] = {
        "tenant": tenant.name,
        "change_id": "change-1",
        "template": TEMPLATE,
        "targets": tuple(RolloutTarget(router, "madrid", {"name": "new"}) for router in routers),
        "attempts_max": 2,
        "rollback_attempts_max": 2,
        **changes,
    }
    return RolloutRequest(**values)


async def fleet(bench: Bench, size: int) -> list[str]:
    return [await bench.router() for _ in range(size)]


async def start(bench: Bench, routers: list[str], **changes: Any) -> RolloutHandle:
    return (await start_rollout(bench.client, bench.tenant, request(bench.tenant, routers, **changes))).handle


def child(bench: Bench, router: str) -> WorkflowHandle[Any, Any]:
    return bench.client.get_workflow_handle(deployment_workflow_id(bench.tenant.name, router))


async def until(
    handle: RolloutHandle, condition: Callable[[RolloutProgress], bool], seconds: float = 20
) -> RolloutProgress:
    """Wait for the progress to be so, and return it."""
    seen: list[RolloutProgress] = []

    async def is_so() -> bool:
        seen.append(await handle.query(FleetRollout.progress))
        return condition(seen[-1])

    await eventually(is_so, seconds, lambda: str(seen[-1]))
    return seen[-1]


async def let_go(bench: Bench, *routers: str) -> None:
    """Approve deployments that wait for it."""
    for router in routers:
        handle = child(bench, router)

        async def is_held(handle: WorkflowHandle[Any, Any] = handle) -> bool:
            try:
                return (await handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                return False  # its rollout has not come to it yet

        await eventually(is_held)
        await handle.execute_update(RouterDeployment.decide, Decision("luis", is_approved=True))
