"""What surrounds every step and every deployment of a worker: the tenant's slots, and metrics."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

with workflow.unsafe.imports_passed_through():
    from worker.errors import FailureType
    from worker.models.deployment import DeploymentResult, Phase
    from worker.serving.metrics import Outcome, StepMetrics, record_deployment
    from worker.serving.slots import TenantSlots
    from worker.tenancy import tenant_of_workflow_id

_NOBODY = "none"
"""Label of what belongs to no tenant. No tenant can have this name in the workflow ids of another package."""
_CANCELLED = "cancelled"
_PHASES = {
    FailureType.DEPLOYMENT_REFUSED.value: Phase.REFUSED.value,
    FailureType.DEPLOYMENT_ROLLED_BACK.value: Phase.ROLLED_BACK.value,
    FailureType.ROLLBACK_FAILED.value: Phase.ROLLBACK_FAILED.value,
}


class TenantInterceptor(Interceptor):
    """Gives each tenant its slots and its numbers, in every lane of the process."""

    def __init__(self, slots: TenantSlots, metrics: StepMetrics) -> None:
        self._slots = slots
        self._metrics = metrics

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the base class's name
        """Surround every step."""
        return _Steps(next, self._slots, self._metrics)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the base class's name
    ) -> type[WorkflowInboundInterceptor]:
        """Surround every deployment."""
        return _Deployments


class _Steps(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, slots: TenantSlots, metrics: StepMetrics) -> None:
        super().__init__(inner)
        self._slots = slots
        self._metrics = metrics

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the base class's name
        info = activity.info()
        tenant = tenant_of_workflow_id(info.workflow_id or "")
        if tenant is None:
            return await super().execute_activity(input)
        began, outcome = time.monotonic(), Outcome.FAILED
        try:
            with self._slots.hold(tenant):
                result = await super().execute_activity(input)
            outcome = Outcome.COMPLETED
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
            raise
        except ApplicationError as error:
            if error.type == FailureType.TENANT_BUSY.value:
                outcome = Outcome.BUSY
            raise
        finally:
            duration = timedelta(seconds=time.monotonic() - began)
            self._metrics.record(tenant, info.activity_type, outcome, duration)
        return result


class _Deployments(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> object:  # noqa: A002 - the base class's name
        try:
            result = await super().execute_workflow(input)
        except ApplicationError as error:
            _count(_PHASES.get(error.type or ""))
            raise
        except BaseException as error:
            _count(_CANCELLED if is_cancelled_exception(error) else None)
            raise
        _count(result.phase.value if isinstance(result, DeploymentResult) else None)
        return result


def _count(phase: str | None) -> None:
    """Count an end that is a deployment's."""
    # A workflow put out of the cache is closed outside its loop, where nothing may be asked.
    if phase is None:
        return
    info = workflow.info()
    if info.workflow_type == "RouterDeployment":
        tenant = tenant_of_workflow_id(info.workflow_id) or _NOBODY
        record_deployment(workflow.metric_meter(), tenant, phase)
