"""Log lines: whoever writes one in a step or a deployment, it says whose it is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from worker.logs import ContextFilter, JsonFormatter

_LOGGER = logging.getLogger("somebody.else")


@activity.defn
async def note() -> None:
    _LOGGER.warning("in a step")


@workflow.defn
class Noting:
    @workflow.run
    async def run(self) -> None:
        logging.getLogger("somebody.else").warning("in a workflow")
        await workflow.execute_activity(note, start_to_close_timeout=timedelta(seconds=10))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(ContextFilter())
    _LOGGER.addHandler(handler)
    yield text
    _LOGGER.removeHandler(handler)


async def test_lines_carry_tenant_workflow_and_run(client: Client, lines: io.StringIO) -> None:
    serving = Worker(
        client,
        task_queue="noting",
        workflows=[Noting],
        activities=[note],
        # The sandbox cannot import modules of tests.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with serving:
        handle = await client.start_workflow(Noting.run, id="deploy-chogar-madrid1", task_queue="noting")
        await handle.result()
    _LOGGER.warning("elsewhere")

    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    keys = ("message", "tenant", "workflow_id", "run_id")
    run_id = handle.result_run_id
    assert [tuple(line.get(key) for key in keys) for line in written] == [
        ("in a workflow", "chogar", "deploy-chogar-madrid1", run_id),
        ("in a step", "chogar", "deploy-chogar-madrid1", run_id),
        ("elsewhere", None, None, None),
    ]
