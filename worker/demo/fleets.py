"""The demo's routers, simulated or real: what is made ready before, and what they say was done to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from worker.demo.deployments import Deployment
from worker.errors import RouterError
from worker.models.deployment import DeploymentRequest
from worker.routers.frr import FrrDriver
from worker.routers.inventory import Inventory
from worker.simulator.client import SimulatorClient, Tally, tally

_LATENCY_SECONDS = 0.4
"""Of each answer of a simulated router: slow enough to watch, so that a deployment takes about three seconds."""


class Fleet(Protocol):
    """Some routers."""

    async def prepare(self, deployments: tuple[Deployment, ...]) -> None:
        """Make the routers of the deployments ready."""
        ...

    async def tally(self, request: DeploymentRequest, keys: str) -> Tally | None:
        """Return what the router's own ledger says of the keys that begin so; None when it does not answer."""
        ...


class SimulatedFleet:
    """Routers of the simulator, made for the occasion."""

    def __init__(self, routers: SimulatorClient) -> None:
        self._routers = routers

    async def prepare(self, deployments: tuple[Deployment, ...]) -> None:
        """See `Fleet.prepare`."""
        for request in (item.request for item in deployments):
            await self._routers.put_router(
                request.router, request.tenant, site=request.site, latency_seconds=_LATENCY_SECONDS
            )

    async def tally(self, request: DeploymentRequest, keys: str) -> Tally | None:  # noqa: ARG002  one ledger for all
        """See `Fleet.tally`."""
        return tally(await self._routers.ledger(keys))


class FrrFleet:
    """Real FRR routers, as the inventory has them."""

    def __init__(self, driver: FrrDriver, inventory: Inventory) -> None:
        self._driver = driver
        self.inventory = inventory

    async def prepare(self, deployments: tuple[Deployment, ...]) -> None:
        """See `Fleet.prepare`; they are what they are."""

    async def tally(self, request: DeploymentRequest, keys: str) -> Tally | None:
        """See `Fleet.tally`."""
        record = self.inventory.find(request.router)
        if record is None:
            return None
        try:
            events = await self._driver.ledger(record)
        except RouterError:
            return None
        kinds = Counter(str(event["kind"]) for event in events if str(event["key"]).startswith(keys))
        return Tally(applied=kinds["apply"], duplicates=kinds["duplicate"])

    async def sessions(self, deployments: tuple[Deployment, ...]) -> tuple[Session, ...]:
        """Return what has become of each deployment's session and route, waiting a moment for them."""
        return tuple([await self._session(item.request) for item in deployments])

    async def _session(self, request: DeploymentRequest) -> Session:
        record = self.inventory.find(request.router)
        if record is None:
            return Session(request.router, "", is_up=False, detail="the inventory has no such router")
        try:
            checks = await self._driver.check_declared(record, request.checks)
        except RouterError as error:
            return Session(request.router, "", is_up=False, detail=error.reason)
        failed = [f"{check.name}: {check.detail}" for check in checks if not check.is_passed]
        names = ", ".join(check.name for check in checks)
        return Session(request.router, names, is_up=not failed, detail="; ".join(failed))


@dataclass(frozen=True)
class Session:
    """What a router says of its session with the provider, and the route learnt by it."""

    router: str
    checks: str
    is_up: bool
    detail: str = ""
    """What is wrong; empty while all is well."""
