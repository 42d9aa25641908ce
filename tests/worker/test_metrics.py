"""The package's own metrics, scraped from a worker process."""

from __future__ import annotations

import re
from collections.abc import Callable

import aiohttp
import pytest
from temporalio.client import Client, WorkflowFailureError

from tests.worker.support import Bench, MeddledDriver, WorkerProcess
from worker.simulator.client import SimulatorClient
from worker.simulator.store import Fault
from worker.starting.starter import result_of
from worker.tenancy import Tenant

StartWorker = Callable[..., WorkerProcess]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def bench(
    client: Client,
    routers: SimulatorClient,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenant: Tenant,
) -> Bench:
    """A tenant whom only processes serve."""
    return Bench(client, routers, tenant, MeddledDriver(session, routers_url))


async def scrape(session: aiohttp.ClientSession, url: str) -> Samples:
    """Return the package's own samples by name and labels."""
    async with session.get(f"{url}/metrics") as response:
        text = await response.text()
    samples: Samples = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(routerfleet_\w+)\{(.*)\} (\S+)", line)
        if match:
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2]))
            samples[match[1], labels] = float(match[3])
    return samples


async def test_steps_and_deployments_are_counted_by_tenant(
    bench: Bench, start_worker: StartWorker, session: aiohttp.ClientSession, routers_url: str
) -> None:
    worker = start_worker(routers_url)
    await worker.ready(session)
    await result_of((await bench.start(await bench.router())).handle)
    refusing = await bench.router()
    await bench.routers.set_fault(refusing, Fault.REFUSE_VERIFY)
    with pytest.raises(WorkflowFailureError):
        await result_of((await bench.start(refusing)).handle)

    samples = await scrape(session, worker.metrics_url)
    tenant = bench.tenant.name
    steps = {
        (labels["step"], labels["outcome"]): value
        for labels, value in of_name(samples, "routerfleet_steps_total")
        if labels["tenant"] == tenant
    }
    assert steps == {
        ("precheck", "completed"): 2,
        ("backup", "completed"): 2,
        ("render", "completed"): 2,
        ("diff", "completed"): 2,
        ("apply", "completed"): 2,
        ("verify", "completed"): 1,
        ("verify", "failed"): 1,
        ("confirm", "completed"): 1,
        ("roll_back", "completed"): 1,
    }
    phases = {
        (labels["tenant"], labels["phase"]): value
        for labels, value in of_name(samples, "routerfleet_deployments_total")
    }
    assert phases == {(tenant, "deployed"): 1, (tenant, "rolled-back"): 1}
    buckets = [(labels["le"], value) for labels, value in of_name(samples, "routerfleet_step_seconds_bucket")]
    assert [le for le, _ in buckets] == ["0.05", "0.2", "1", "5", "15", "30", "60", "+Inf"]
    assert buckets[-1][1] == sum(steps.values()) == 14
    # No label with as many values as there are routers or workflows.
    names = {name for _, labels in samples for name, _ in labels}
    assert names == {
        "tenant",
        "step",
        "outcome",
        "phase",
        "le",
        "namespace",
        "task_queue",
        "workflow_type",
        "service_name",
    }


def of_name(samples: Samples, name: str) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for (sample, labels), value in samples.items() if sample == name]
