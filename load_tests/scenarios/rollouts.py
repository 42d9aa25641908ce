"""Rollouts over fleets of simulated routers: parents with many children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import aiohttp

from load_tests.errors import LoadTestError
from load_tests.models import OperationKind
from load_tests.scenarios.deployments import TEMPLATE
from load_tests.scenarios.scenario import includes
from load_tests.scenarios.session import Due, Session, all_at_most
from worker.models.rollout import Ending, RolloutPhase, RolloutRequest, RolloutTarget
from worker.simulator.client import SimulatorClient, SimulatorError
from worker.tenancy import rollout_workflow_id
from worker.workflows.fleet_rollout import FleetRollout


class Rollouts:
    """See module."""

    name: ClassVar[str] = "rollouts"
    kind: ClassVar[OperationKind] = OperationKind.START
    defaults: ClassVar[Mapping[str, float]] = {"routers": 10, "parallelism": 5}
    """Routers of each rollout, and how many of them at a time."""

    def __init__(self, session: Session, options: Mapping[str, float]) -> None:
        self._session = session
        self._routers = max(1, int(options["routers"]))
        self._parallelism = max(1, int(options["parallelism"]))

    async def prepare(self, due: Sequence[Due]) -> None:
        """Create every rollout's routers."""
        async with aiohttp.ClientSession() as http:
            routers = SimulatorClient(http, self._session.target.routers_url)
            jobs = [
                partial(routers.put_router, name, item.tenant, site="load")
                for item in due
                for name in self._names(item)
            ]
            try:
                await all_at_most(16, jobs)
            except SimulatorError as error:
                raise LoadTestError(f"simulated routers: {error}") from error

    async def perform(self, due: Due) -> None:
        """Start a rollout and wait for its report."""
        change = f"load-{self._session.run}-{due.number}"
        request = RolloutRequest(
            tenant=due.tenant,
            change_id=change,
            template=TEMPLATE,
            targets=tuple(RolloutTarget(name, "load", {"hostname": name}) for name in self._names(due)),
            parallelism=self._parallelism,
        )
        await self._session.start_and_wait(
            FleetRollout.__name__,
            rollout_workflow_id(due.tenant, change),
            request,
            due,
            expected=includes(
                {
                    "outcome": RolloutPhase.COMPLETED.value,
                    "endings": dict.fromkeys(self._names(due), Ending.DEPLOYED.value),
                }
            ),
            task_queue=self._session.tenant(due.tenant).task_queue,
            urgency=request.urgency,
        )

    async def finish(self) -> None:
        """Nothing is left."""

    def _names(self, due: Due) -> list[str]:
        return [f"fleet-{self._session.run}-{due.number}-{index}" for index in range(self._routers)]
