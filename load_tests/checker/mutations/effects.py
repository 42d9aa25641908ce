"""Bugs of what is done outside Temporal."""

from __future__ import annotations

from load_tests.checker.expectations import fails
from load_tests.checker.mutations.scene import Scene
from worker.errors import FailureType
from worker.simulator.store import Fault

_APPLY = "apply"
"""The step of `RouterDeployment`."""


async def lied(scene: Scene) -> None:
    """A router says that it has made a change, and has not; the deployment notices, too late for the step.

    On a busy machine the step may fail for being late, and has then not said that it is done: no bug yet, so another
    router lies, until one was believed.
    """
    while True:
        router = await scene.router()
        await scene.stage.simulator.set_fault(router, Fault.LYING)
        start = await scene.deploy(router, fails(FailureType.DEPLOYMENT_REFUSED.value))
        await scene.end_of(start)
        if _APPLY in await scene.completed_activities(start):
            return
        scene.operations.remove(start)


async def applied_twice(scene: Scene) -> None:
    """A change is made once more under a key that no router recognises."""
    router = await scene.router()
    start = await scene.deploy(router)
    await scene.end_of(start)
    revision = (await scene.stage.simulator.get_router(router))["revision"]
    body = {
        "idempotency_key": f"{start.workflow_id}/{start.run_id}/apply-again",
        "expected_revision": revision,
        "running": ["hostname newer"],
    }
    url = f"{scene.stage.routers_url}/routers/{router}/changes"
    async with scene.stage.session.post(url, json=body) as response:
        response.raise_for_status()
