"""Starting: once, whatever happens to the reply."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest, StartWorkflowExecutionResponse
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from tests.worker.support import Bench
from worker.client import connect, in_namespace
from worker.errors import UsageError
from worker.models.deployment import Phase
from worker.simulator.client import Tally, tally
from worker.starting.starter import result_of, start_deployment
from worker.tenancy import TenancyError, Tenant

Start = Callable[..., Any]


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> list[StartWorkflowExecutionRequest]:
    """Lose the first reply: the server starts and ends the workflow, the caller sees a time-out."""
    service = bench.client.workflow_service
    original: Start = service.start_workflow_execution
    seen: list[StartWorkflowExecutionRequest] = []

    async def lose_first(
        request: StartWorkflowExecutionRequest, **options: Any
    ) -> StartWorkflowExecutionResponse:
        seen.append(request)
        answer = await original(request, **options)
        if len(seen) == 1:
            await bench.client.get_workflow_handle(request.workflow_id).result()
            raise RPCError("Timeout expired", RPCStatusCode.CANCELLED, b"")
        return answer

    monkeypatch.setattr(service, "start_workflow_execution", lose_first)
    return seen


async def test_lost_reply_does_not_deploy_twice(
    bench: Bench, losing: list[StartWorkflowExecutionRequest]
) -> None:
    router = await bench.router()
    started = await bench.start(router)

    assert (started.attempts, started.is_new, len(losing)) == (2, True, 2)
    # A second run would find the router deployed already and end unchanged.
    assert (await result_of(started.handle)).phase is Phase.DEPLOYED
    prefix = f"{started.handle.id}/"
    assert tally(await bench.routers.ledger(prefix)) == Tally(applied=1, duplicates=0)


async def test_open_deployment_is_joined_not_doubled(bench: Bench) -> None:
    router = await bench.router(latency_seconds=0.3)
    first = await bench.start(router)
    second = await bench.start(router, change_id="change-2")

    assert (first.is_new, second.is_new, first.run_id == second.run_id) == (True, False, True)
    assert (await result_of(second.handle)).change_id == "change-1"


async def test_router_can_be_deployed_again(bench: Bench) -> None:
    router = await bench.router()
    await result_of((await bench.start(router)).handle)
    again = await bench.start(router, variables={"name": "newer"})

    assert (await result_of(again.handle)).revision == "3"


async def test_budget_ends_the_trying(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise RPCError("tcp connect error", RPCStatusCode.UNAVAILABLE, b"")

    monkeypatch.setattr(bench.client.workflow_service, "start_workflow_execution", never)
    with pytest.raises(RPCError, match="tcp connect error"):
        await start_deployment(bench.client, bench.tenant, bench.request("r1"), budget=timedelta(seconds=0.6))


async def test_wrong_namespace_fails_at_once(bench: Bench) -> None:
    elsewhere = in_namespace(bench.client, "nowhere")

    with pytest.raises(RPCError) as caught:
        await start_deployment(elsewhere, bench.tenant, bench.request("r1"))

    assert caught.value.status is RPCStatusCode.NOT_FOUND


async def test_misuse_is_refused_before_calling(bench: Bench) -> None:
    with pytest.raises(TenancyError):
        await start_deployment(bench.client, bench.tenant, bench.request("a/b"))
    with pytest.raises(ValueError, match="request is of tenant"):
        await start_deployment(bench.client, Tenant("other"), bench.request("r1"))


async def test_result_of_a_terminated_deployment_says_so(bench: Bench) -> None:
    started = await bench.start(await bench.router(latency_seconds=5))
    await started.handle.terminate()

    with pytest.raises(WorkflowFailureError):
        await result_of(started.handle)


async def test_connecting_needs_an_address() -> None:
    with pytest.raises(UsageError, match=r"^TEMPORAL_ADDRESS: '' must be HOST:PORT"):
        await connect({})


async def test_connection_has_the_budgets_of_a_cluster(client: Client) -> None:
    config = client.service_client.config

    assert config.retry_config is not None
    assert (config.retry_config.max_elapsed_time_millis, config.retry_config.max_retries) == (120_000, 0)
    assert config.keep_alive_config is not None
    assert (config.keep_alive_config.interval_millis, config.keep_alive_config.timeout_millis) == (
        15_000,
        5_000,
    )
    assert config.dns_load_balancing_config is not None
    assert config.dns_load_balancing_config.resolution_interval_millis == 5_000
