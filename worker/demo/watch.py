"""Starts deployments at the same time and follows each to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from worker.client import RPC_TIMEOUT, in_namespace
from worker.demo.deployments import Deployment
from worker.demo.fleets import Fleet
from worker.models.deployment import Phase
from worker.simulator.client import Tally
from worker.starting.starter import Started, result_of, start_deployment
from worker.tenancy import TenantsFile
from worker.workflows.router_deployment import RouterDeployment

_LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class State:
    """One deployment as it is known now."""

    tenant: str
    router: str
    site: str
    workflow_id: str = ""
    run_id: str = ""
    phase: Phase | None = None
    """None until the first answer."""
    seconds: float = 0
    """Since its start."""
    is_done: bool = False
    failure: str = ""
    """Why it did not end well; empty while all is well."""
    ledger: Tally | None = None
    """What the routers' own ledger says, once the deployment has ended."""

    @property
    def is_good(self) -> bool:
        """Whether it was deployed, and the ledger shows it applied exactly once."""
        return self.phase is Phase.DEPLOYED and self.ledger is not None and self.ledger.applied == 1


async def watch(
    client: Client,
    tenants: TenantsFile,
    deployments: tuple[Deployment, ...],
    fleet: Fleet,
    show: Callable[[list[State]], None],
) -> list[State]:
    """Start all deployments at once, show every change, and return how they ended."""
    states = [State(item.request.tenant, item.request.router, item.request.site) for item in deployments]

    async def follow(index: int, deployment: Deployment) -> None:
        def update(state: State) -> None:
            states[index] = state
            show(states)

        local = in_namespace(client, tenants.namespace_of(deployment.tenant))
        await _follow(local, deployment, fleet, states[index], update)

    show(states)
    await asyncio.gather(*(follow(index, item) for index, item in enumerate(deployments)))
    return states


async def _follow(
    client: Client,
    deployment: Deployment,
    fleet: Fleet,
    state: State,
    update: Callable[[State], None],
) -> None:
    began = time.monotonic()
    started = await start_deployment(client, deployment.tenant, deployment.request)
    state = replace(state, workflow_id=started.handle.id, run_id=started.run_id)
    ending = asyncio.create_task(_ending(started))
    try:
        while not ending.done():
            phase = await _phase(started) or state.phase
            state = replace(state, phase=phase, seconds=time.monotonic() - began)
            update(state)
            await asyncio.wait([ending], timeout=_LOOK_SECONDS)
    finally:
        ending.cancel()
    phase, failure = await ending
    ledger = await fleet.tally(deployment.request, f"{started.handle.id}/{started.run_id}/")
    update(
        replace(
            state,
            phase=phase or state.phase,
            seconds=time.monotonic() - began,
            is_done=True,
            failure=failure,
            ledger=ledger,
        )
    )


async def _ending(started: Started) -> tuple[Phase | None, str]:
    """Return the final phase and why it did not end well, if so."""
    try:
        return (await result_of(started.handle)).phase, ""
    except WorkflowFailureError as error:
        return await _phase(started), str(error.cause)


async def _phase(started: Started) -> Phase | None:
    """Return the phase, or None while no worker can tell."""
    try:
        progress = await started.handle.query(RouterDeployment.progress, rpc_timeout=RPC_TIMEOUT)
    except RPCError:
        return None
    return progress.phase
