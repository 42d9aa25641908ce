"""Reads of the authoritative store that outlast what the cluster is built to survive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from load_tests.checker.observations import Target
from worker.client import RPC_TIMEOUT, is_transient

_T = TypeVar("_T")

_PAUSE_SECONDS = 0.5
"""Between two calls. The SDK itself does not try again here: its budget is the client's, not ours."""
_PAGE_TIMEOUT = timedelta(seconds=30)
"""A page of a history may be 4 MB, the largest message that the server sends."""
_GONE = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.DATA_LOSS})
"""Answers by which the store says that it has not, or no longer, what it was asked for."""


class GoneError(Exception):
    """The store says that it does not have it."""


class UnreadableError(Exception):
    """The store has not said anything in time; the message is the last answer."""


async def describe(
    client: Client, target: Target, budget_seconds: float
) -> DescribeWorkflowExecutionResponse:
    """Return the store's own state of a run, or of a workflow's current run.

    Args:
        client: Of the target's namespace.
        target: What to read.
        budget_seconds: How long to try again; 0: one call.

    Raises:
        GoneError: When there is no such run.
        UnreadableError: When the budget is spent, or at once when trying again cannot help.
    """
    request = DescribeWorkflowExecutionRequest(namespace=target.namespace, execution=_execution(target))
    return await insist(
        lambda: client.workflow_service.describe_workflow_execution(
            request, retry=False, timeout=RPC_TIMEOUT
        ),
        budget_seconds,
    )


async def history(
    client: Client, target: Target, budget_seconds: float, page_size: int = 0
) -> Sequence[HistoryEvent]:
    """Return all events of a run.

    Args:
        client: Of the target's namespace.
        target: What to read.
        budget_seconds: How long to try each page again; 0: one call.
        page_size: Events per page at most; 0: the server's own limit.

    Raises:
        GoneError: When there is no such run.
        UnreadableError: When the budget is spent, or at once when trying again cannot help.
    """
    events: list[HistoryEvent] = []
    token = b""
    while True:
        request = GetWorkflowExecutionHistoryRequest(
            namespace=target.namespace,
            execution=_execution(target),
            maximum_page_size=page_size,
            next_page_token=token,
            skip_archival=True,
        )
        page = await insist(
            lambda request=request: client.workflow_service.get_workflow_execution_history(
                request, retry=False, timeout=_PAGE_TIMEOUT if budget_seconds else RPC_TIMEOUT
            ),
            budget_seconds,
        )
        events += page.history.events
        token = page.next_page_token
        if not token:
            return events


def _execution(target: Target) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=target.workflow_id, run_id=target.run_id)


async def insist(call: Callable[[], Awaitable[_T]], budget_seconds: float) -> _T:
    """Call until there is an answer; reading twice does no harm.

    Raises:
        GoneError: When the answer is that there is no such thing.
        UnreadableError: When the budget is spent, or at once when trying again cannot help.
    """
    deadline = asyncio.get_running_loop().time() + budget_seconds
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status in _GONE and not _is_about_namespace(error):
                raise GoneError(f"{error.status.name}: {error}") from error
            if not is_transient(error) or asyncio.get_running_loop().time() >= deadline:
                raise UnreadableError(f"{error.status.name}: {error}") from error
            await asyncio.sleep(_PAUSE_SECONDS)


def _is_about_namespace(error: RPCError) -> bool:
    """Return whether it is the namespace that is not found, which says nothing about the workflow."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)
