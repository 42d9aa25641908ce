"""Tenants change their strategy on the running stack, there and back, while their deployments run: none is lost.

Changes the stack and puts it back, so nothing else may use it meanwhile.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

import pytest
from temporalio.client import WorkflowExecutionStatus

from infra import names
from tests.live.conftest import STACK, Kubectl
from tests.live.project import Project, Tree
from tests.live.support import (
    TEMPLATE,
    CommandLine,
    Connected,
    Fleet,
    report,
    routers_url,
    wait_all_ready,
)
from worker.administration.lanes import observe
from worker.client import in_namespace
from worker.models.deployment import ApprovalPolicy, Decision, DeploymentRequest, Phase
from worker.simulator.client import tally
from worker.starting.starter import Started, result_of, start_deployment
from worker.tenancy import Strategy, Tenant, TenantsFile, worker_deployment
from worker.workflows.router_deployment import RouterDeployment

pytestmark = [
    pytest.mark.failover,
    pytest.mark.timeout(900),
    pytest.mark.skipif(STACK != "local", reason="the local stack has a tenant of each strategy"),
]

HOME = {
    "piloto": Strategy.SHARED_QUEUE,
    "afijo": Strategy.DEDICATED_WORKERS,
    "amovil": Strategy.NAMESPACE,
}
AWAY = dict.fromkeys(HOME, Strategy.TASK_QUEUE)
WITHIN = ("piloto", "afijo")
"""Who stays in the shared namespace; the other goes from one namespace to another."""
FOLLOW_SECONDS = 180
"""Far above the minute or so in which kubelets hand a changed tenants file to running pods: not a gate, a stop."""


@dataclass
class Moving:
    """The stack, the tenants in it, and every deployment that was started."""

    project: Project
    image_tag: str
    fleet: Fleet
    tenants: dict[str, Tenant]
    kubectl: Kubectl
    namespace: str
    started: list[Started] = field(default_factory=list)

    async def up(self, tenants: dict[str, Tenant]) -> tuple[int, str]:
        """Do `pulumi up` with these tenants in place of the stack's; return its exit code and what it said."""

        def change(tree: Tree) -> None:
            # The image that runs: the checkout's sources may have changed since.
            tree["images"]["worker"] = {"tag": self.image_tag}
            for record in tree["tenants"]:
                if tenant := tenants.get(record["name"]):
                    record["strategy"] = str(tenant.strategy)
                    if tenant.moving_from:
                        record["moving_from"] = str(tenant.moving_from)

        self.project.write(STACK, change)
        done = await asyncio.to_thread(
            self.project.pulumi, STACK, "up", "--yes", "--skip-preview", "--suppress-outputs"
        )
        if done.returncode == 0:
            self.tenants = tenants
        return done.returncode, done.stdout + done.stderr

    def file(self) -> TenantsFile:
        maps = self.kubectl.get("configmap", names.TENANTS, "-n", self.namespace)
        return TenantsFile.from_json(maps["data"][names.TENANTS_KEY])

    async def start(self, name: str, *, is_held: bool = False) -> Started:
        router = f"{name}-{secrets.token_hex(4)}"
        await self.fleet.routers.put_router(router, name)
        approval = ApprovalPolicy() if is_held else None
        request = DeploymentRequest(
            name, router, "lab", "move-1", TEMPLATE, {"hostname": router}, approval=approval
        )
        file = self.file()
        tenant = file.tenant(name)
        started = await start_deployment(
            in_namespace(self.fleet.client, file.namespace_of(tenant)), tenant, request
        )
        self.started.append(started)
        return started

    async def hold(self) -> list[Started]:
        """Start a deployment of each tenant that waits for its approval, and wait until it does."""
        held = [await self.start(name, is_held=True) for name in self.tenants]
        for one in held:
            await until(lambda one=one: _waits(one), f"{one.handle.id} waits for its approval")
        return held

    async def deploy(self, *tenants: str) -> None:
        started = await asyncio.gather(*(self.start(name) for name in tenants))
        results = await asyncio.gather(*(result_of(one.handle) for one in started))
        assert [result.phase for result in results] == [Phase.DEPLOYED] * len(tenants)

    async def served(self) -> bool:
        """Return whether every tenant's lane has workers, and those that lead it get its work."""
        file = self.file()
        states = [
            (tenant, await observe(self.fleet.client, tenant, file.lane_of(tenant)))
            for tenant in (file.tenant(name) for name in self.tenants)
        ]
        return all(
            state.workers and state.follows == worker_deployment(tenant.worker_pool)
            for tenant, state in states
        )

    def drain(self, name: str) -> int:
        """Run the procedure's command, which waits; return its exit code."""
        return self.kubectl.try_run(
            "exec", "-n", self.namespace, f"deployment/{worker_deployment('shared')}", "--",
            "python3", "-m", "worker.tenants", "drain", name, "--wait", "60",
        ).returncode  # fmt: skip

    async def go_home(self, home: dict[str, Tenant]) -> None:
        """End what a failed test left open, without which the stack refuses to leave it, and put the stack back."""
        for one in self.started:
            if (await one.handle.describe()).status == WorkflowExecutionStatus.RUNNING:
                await one.handle.terminate("the test failed")
        await until(self._nothing_is_open, "nothing is open any more")
        code, said = await self.up(home)
        assert code == 0, said

    async def _nothing_is_open(self) -> bool:
        drained = await asyncio.gather(*(asyncio.to_thread(self.drain, name) for name in self.tenants))
        return not any(drained)

    async def applied(self) -> list[int]:
        """Return how often the ledger shows each deployment's change applied."""
        prefixes = [f"{one.handle.id}/{one.run_id}/" for one in self.started]
        return [tally(await self.fleet.routers.ledger(prefix)).applied for prefix in prefixes]


async def _waits(started: Started) -> bool:
    return (await started.handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL


async def until(condition, what: str, seconds: float = FOLLOW_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.5)


async def move(moving: Moving, command, to: dict[str, Strategy]) -> None:
    """Move all tenants as docs/moving-tenants.md says, with a deployment of each running across it."""
    held = await moving.hold()
    plain = {name: Tenant(name, strategy) for name, strategy in to.items()}
    code, said = await moving.up(
        {n: Tenant(n, s, moving_from=moving.tenants[n].strategy) for n, s in to.items()}
    )
    assert code == 0, said
    await until(moving.served, "the new lanes are served")
    await moving.deploy(*WITHIN)
    await moving.fleet.routers.put_router("refused", "amovil")
    code, answer, _ = await command().deploy("amovil", "refused")
    assert (code, answer["error"]) == (1, "TenantMoving")
    code, said = await moving.up(plain)
    assert code != 0
    assert "tenants.amovil.moving_from: without it nobody serves" in said

    for one in held:
        await one.handle.execute_update(RouterDeployment.decide, Decision("ana", is_approved=True))
    results = await asyncio.gather(*(result_of(one.handle) for one in held))
    assert [result.phase for result in results] == [Phase.DEPLOYED] * len(held)
    drained = await asyncio.gather(*(asyncio.to_thread(moving.drain, name) for name in to))
    assert drained == [0] * len(to)
    await moving.deploy("amovil")
    code, said = await moving.up(plain)
    assert code == 0, said
    await moving.deploy(*to)


async def test_tenants_move_there_and_back_and_nothing_is_lost(
    kubectl, lab_env, outputs, keyring_file, tmp_path, capsys
):
    namespace = outputs["kubernetes_namespace"]
    address, url = outputs["frontend_address"], routers_url(kubectl, namespace)
    wait_all_ready(kubectl, 60)

    def command() -> CommandLine:
        return CommandLine(kubectl, outputs, keyring_file, tmp_path)

    async with Connected(address, keyring_file, url) as fleet:
        home = {name: Tenant(name, strategy) for name, strategy in HOME.items()}
        moving = Moving(
            Project(tmp_path / "project", lab_env), outputs["versions"]["worker"].rpartition(":")[2], fleet, home,
            kubectl, namespace,
        )  # fmt: skip
        seconds = []
        try:
            for to in (AWAY, HOME):
                start = time.monotonic()
                await move(moving, command, to)
                seconds.append(round(time.monotonic() - start))
        finally:
            if moving.tenants != home:
                await moving.go_home(home)
        applied = await moving.applied()
    wait_all_ready(kubectl, 60)

    report(capsys, "moves", deployments=len(applied), seconds_there=seconds[0], seconds_back=seconds[1])
    assert applied == [1] * 18
