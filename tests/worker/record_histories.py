"""Records the histories that `test_replay` replays: `.venv/bin/python -m tests.worker.record_histories`.

Run it when a workflow has changed on purpose and no deployment of the old kind can be open any more; look
at the difference before keeping it. It starts a dev server and a simulator of its own.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import aiohttp
from aiohttp.test_utils import TestServer
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from tests.worker.conftest import running, wait_for_port
from tests.worker.rollout_recordings import ROLLOUTS
from tests.worker.support import Bench, MeddledDriver, eventually
from worker.activities.router_activities import RouterActivities
from worker.administration.namespaces import reconcile_all
from worker.demo.embedded import dev_server_binary, free_port
from worker.models.deployment import ApprovalPolicy, Decision, Phase
from worker.routers.drivers import SIMULATED, Drivers
from worker.serving.pool import WorkerPool
from worker.simulator.client import SimulatorClient
from worker.simulator.service import Service
from worker.simulator.store import Fault, Store
from worker.starting.starter import Started, result_of
from worker.tenancy import Namespace, Tenant, TenantsFile
from worker.workflows.router_deployment import RouterDeployment

HISTORIES = Path(__file__).parent.parent / "histories"

_TENANTS = TenantsFile("production", (Namespace("production"),), (Tenant("chogar"),))


async def _deployed(bench: Bench) -> Started:
    return await bench.start(await bench.router())


async def _unchanged(bench: Bench) -> Started:
    return await bench.start(await bench.router(), variables={"name": "old"})


async def _refused(bench: Bench) -> Started:
    return await bench.start(await bench.router(), variables={})


async def _rolled_back(bench: Bench) -> Started:
    router = await bench.router()
    await bench.routers.set_fault(router, Fault.REFUSE_VERIFY)
    return await bench.start(router)


async def _rollback_failed(bench: Bench) -> Started:
    router = await bench.router()
    bench.driver.before_check.add(router)
    return await bench.start(router)


async def _cancelled(bench: Bench) -> Started:
    started = await bench.start(await bench.router(latency_seconds=0.5))

    async def is_applying() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is Phase.APPLY

    await eventually(is_applying)
    await started.handle.cancel()
    return started


async def _approved(bench: Bench) -> Started:
    started = await bench.start(await bench.router(), requested_by="ana", approval=ApprovalPolicy(60))

    async def is_waiting() -> bool:
        return (await started.handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL

    await eventually(is_waiting)
    await started.handle.execute_update(RouterDeployment.decide, Decision("luis", is_approved=True))
    return started


async def _approval_timed_out(bench: Bench) -> Started:
    return await bench.start(await bench.router(), approval=ApprovalPolicy(0.5))


ENDINGS = {
    "approved": _approved,
    "approval_timed_out": _approval_timed_out,
    "deployed": _deployed,
    "unchanged": _unchanged,
    "refused": _refused,
    "rolled_back": _rolled_back,
    "rollback_failed": _rollback_failed,
    "cancelled": _cancelled,
}
"""Every way a deployment ends."""


async def record(address: str, folder: Path) -> None:
    # A fixed identity: the name of this machine has no place in the repository.
    client = await Client.connect(address, namespace="production", identity="recorder")
    await reconcile_all(client, _TENANTS.all_namespaces())
    async with (
        aiohttp.ClientSession() as session,
        TestServer(Service(Store(folder / "simulator.sqlite3")).application()) as server,
    ):
        url = str(server.make_url(""))
        driver = MeddledDriver(session, url)
        pool = WorkerPool(client, RouterActivities(Drivers({SIMULATED: driver})), timedelta(seconds=5))
        await pool.serve(_TENANTS.lanes("shared"))
        bench = Bench(client, SimulatorClient(session, url), _TENANTS.tenants[0], driver)
        for name, start in ENDINGS.items():
            started = await start(bench)
            try:
                await result_of(started.handle)
            except WorkflowFailureError as error:
                print(f"{name}: {error.cause}")
            await _keep(started.handle, f"router_deployment_{name}")
        for name, finish in ROLLOUTS.items():
            await _keep(await finish(bench), f"fleet_rollout_{name}")
        await pool.drain()


async def _keep(handle: WorkflowHandle[Any, Any], name: str) -> None:
    history = _without_traces(json.loads((await handle.fetch_history()).to_json()))
    (HISTORIES / f"{name}.json").write_text(json.dumps(history, indent=1) + "\n")


def _without_traces(value: Any) -> Any:
    """Drop stack traces: they name this machine's folders, and replay does not read them."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _without_traces(item) for key, item in items if key != "stackTrace"}
    if isinstance(value, list):
        return [_without_traces(item) for item in cast("list[Any]", value)]
    return value


def main() -> None:
    port = free_port()
    command = [str(dev_server_binary()), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "error"]
    command += ["--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true"]
    with TemporaryDirectory() as name, running(command, Path(name) / "log", {}):
        wait_for_port(port)
        asyncio.run(record(f"127.0.0.1:{port}", Path(name)))


if __name__ == "__main__":
    main()
