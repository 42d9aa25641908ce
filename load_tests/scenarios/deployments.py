"""Router deployments by the tenants' mix, each to a simulated router of its own, as the teams start them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import aiohttp

from load_tests.errors import LoadTestError
from load_tests.models import OperationKind
from load_tests.scenarios.scenario import includes
from load_tests.scenarios.session import Due, Session, all_at_most
from worker.models.deployment import DeploymentRequest, Phase
from worker.simulator.client import SimulatorClient, SimulatorError
from worker.tenancy import deployment_workflow_id
from worker.workflows.router_deployment import RouterDeployment

TEMPLATE = "hostname $hostname\nntp server 192.0.2.123\n"
_AT_A_TIME = 16


class Deployments:
    """See module."""

    name: ClassVar[str] = "deployments"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {"latency_seconds": 0.0}
    """How long a router takes for each answer."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._latency_seconds = options["latency_seconds"]

    async def prepare(self, due: Sequence[Due]) -> None:
        """Create a router for every deployment.

        Each its own, because one router has one open deployment at a time: with routers used again, a stall
        would turn later starts into joins of earlier ones.
        """
        async with aiohttp.ClientSession() as http:
            routers = SimulatorClient(http, self._session.target.routers_url)
            try:
                await all_at_most(_AT_A_TIME, [partial(self._create, routers, item) for item in due])
            except SimulatorError as error:
                raise LoadTestError(f"simulated routers: {error}") from error

    async def perform(self, due: Due) -> None:
        """Start the deployment and wait for its end."""
        router = self._router(due)
        request = DeploymentRequest(
            tenant=due.tenant,
            router=router,
            site="load",
            change_id=f"load-{self._session.run}",
            template=TEMPLATE,
            variables={"hostname": router},
        )
        await self._session.start_and_wait(
            RouterDeployment.__name__,
            deployment_workflow_id(due.tenant, router),
            request,
            due,
            expected=includes({"tenant": due.tenant, "router": router, "phase": Phase.DEPLOYED.value}),
            task_queue=self._session.tenant(due.tenant).task_queue,
        )

    async def finish(self) -> None:
        """Nothing is left: each deployment was waited for."""

    async def _create(self, routers: SimulatorClient, due: Due) -> None:
        await routers.put_router(
            self._router(due), due.tenant, site="load", latency_seconds=self._latency_seconds
        )

    def _router(self, due: Due) -> str:
        return f"load-{self._session.run}-{due.number}"
