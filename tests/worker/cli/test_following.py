"""Following a history over calls that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from tests.worker.support import Bench
from worker.cli.following import follow, read

Call = Callable[..., Any]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> list[RPCStatusCode]:
    """Let every second read of a history fail, as long as there are statuses left."""
    service = bench.client.workflow_service
    original: Call = service.get_workflow_execution_history
    statuses: list[RPCStatusCode] = []
    calls: list[object] = []

    async def fail_every_second(request: object, **options: Any) -> Any:
        calls.append(request)
        if statuses and len(calls) % 2 == 0:
            raise RPCError("not now", statuses.pop(), b"")
        return await original(request, **options)

    monkeypatch.setattr(service, "get_workflow_execution_history", fail_every_second)
    monkeypatch.setattr("worker.cli.following._PAUSE_SECONDS", 0.01)
    return statuses


async def test_every_phase_is_seen_once_whatever_fails(bench: Bench, failing: list[RPCStatusCode]) -> None:
    started = await bench.start(await bench.router(latency_seconds=0.1))
    failing += [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNAVAILABLE]

    records = [record async for record in follow(bench.client, started.handle.id, started.run_id)]

    assert failing == []
    assert [step.phase for step in records[-1].steps] == [
        "precheck",
        "backup",
        "render",
        "diff",
        "apply",
        "verify",
        "confirm",
        "deployed",
    ]
    assert records[-1] == await read(bench.client, started.handle.id, started.run_id)


async def test_refusal_ends_the_following(bench: Bench, failing: list[RPCStatusCode]) -> None:
    started = await bench.start(await bench.router(latency_seconds=0.1))
    failing.append(RPCStatusCode.PERMISSION_DENIED)

    with pytest.raises(RPCError, match="not now"):
        async for _ in follow(bench.client, started.handle.id, started.run_id):
            pass
