"""What the failover tests share: many deployments at once, killing a container's process, waiting until all is well."""

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from temporalio.client import Client, WorkflowExecutionStatus

from infra import names
from tests.live.conftest import Kubectl, wait_until
from worker import client as worker_client
from worker.models.deployment import DeploymentRequest, Phase
from worker.simulator.client import SimulatorClient, tally
from worker.starting.starter import Started, result_of, start_deployment
from worker.tenancy import Tenant

TEMPLATE = "hostname $hostname\nntp server 192.0.2.123\n"


@dataclass
class Fleet:
    """Deployments under way, one per router, spread over the tenants."""

    client: Client
    routers: SimulatorClient
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    started: list[Started] = field(default_factory=list)

    async def start(self, tenants: dict[str, dict], count: int, latency_seconds: float) -> None:
        """Start `count` deployments, each of whose calls to its router takes `latency_seconds`."""

        async def one(index: int) -> Started:
            name = sorted(tenants)[index % len(tenants)]
            router = f"r{index}-{self.run}"
            await self.routers.put_router(router, name, latency_seconds=latency_seconds)
            request = DeploymentRequest(
                name, router, "lab", f"drill-{self.run}", TEMPLATE, {"hostname": router}
            )
            client = worker_client.in_namespace(self.client, tenants[name]["namespace"])
            return await start_deployment(client, Tenant(name, tenants[name]["strategy"]), request)

        self.started = await asyncio.gather(*(one(index) for index in range(count)))

    async def open_count(self) -> int:
        """Return how many are open, by the authoritative store and not by visibility."""
        states = await asyncio.gather(*(one.handle.describe() for one in self.started))
        return sum(state.status == WorkflowExecutionStatus.RUNNING for state in states)

    async def phases(self) -> list[Phase]:
        """Wait for every deployment and return how each ended."""
        results = await asyncio.gather(*(result_of(one.handle) for one in self.started))
        return [result.phase for result in results]

    async def applied(self) -> list[int]:
        """Return how often the ledger shows each deployment's change applied."""
        return [tally(await self.routers.ledger(f"{one.handle.id}/")).applied for one in self.started]


class Connected:
    """A fleet connected to one address of the load balancer, and to the routers; an async context manager."""

    def __init__(self, address: str, keyring_file: Path, routers_url: str) -> None:
        self._address, self._keyring_file, self._routers_url = address, keyring_file, routers_url

    async def __aenter__(self) -> Fleet:
        self._session = aiohttp.ClientSession()
        client = await worker_client.connect(
            {"TEMPORAL_ADDRESS": self._address, "ROUTERFLEET_KEYRING_FILE": str(self._keyring_file)}
        )
        return Fleet(client, SimulatorClient(self._session, self._routers_url))

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()


class CommandLine:
    """`routers` on this machine, as a person runs it: against the load balancer, with the cluster's tenants file."""

    def __init__(self, kubectl: Kubectl, outputs: dict, keyring_file: Path, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "ROUTERFLEET_"))},
            "TEMPORAL_ADDRESS": outputs["frontend_address"],
            "ROUTERFLEET_KEYRING_FILE": str(keyring_file),
            "ROUTERFLEET_TENANTS_FILE": str(folder / names.TENANTS_KEY),
        }
        maps = kubectl.get("configmap", names.TENANTS, "-n", outputs["kubernetes_namespace"])
        (folder / names.TENANTS_KEY).write_text(maps["data"][names.TENANTS_KEY])
        (folder / "template").write_text(TEMPLATE)

    async def deploy(self, tenant: str, router: str) -> tuple[int, dict, str]:
        """Deploy one router; return exit code, report, and what was said on standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker.cli", "deploy", router, "--tenant", tenant, "--json", "--change", "live-1",
            "--template", str(self._folder / "template"), "--var", f"hostname={router}",
            cwd=self._folder, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        return process.returncode or 0, json.loads(output), errors.decode()


def pods(kubectl: Kubectl, namespace: str, selector: str) -> list[dict]:
    return kubectl.get("pods", "-n", namespace, "-l", selector)["items"]


def routers_url(kubectl: Kubectl, namespace: str) -> str:
    """Return where the routers are, as the workers are told."""
    (deployment,) = [
        d
        for d in kubectl.get("deployments", "-n", namespace)["items"]
        if d["metadata"]["name"] == "worker-shared"
    ]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return next(e["value"] for e in container["env"] if e["name"] == "ROUTERFLEET_ROUTERS_URL")


def kill_container(pod: dict, program: str) -> None:
    """SIGKILL the process `program` of a pod, as the kernel's out-of-memory killer would."""
    uid = pod["metadata"]["uid"]
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            inside = re.search(rf"pod{uid}\b", (proc / "cgroup").read_text())
            name = (proc / "comm").read_text().strip()
        except OSError:
            continue
        if inside and name == program[:15]:
            os.kill(int(proc.name), signal.SIGKILL)
            return
    raise AssertionError(f"pod {pod['metadata']['name']} has no process {program}")


def not_ready(kubectl: Kubectl) -> list[str]:
    """Return every pod that should run and is not Ready, and every workload that lacks replicas."""
    late = []
    for pod in kubectl.get("pods", "-A")["items"]:
        if any(o["kind"] == "Job" for o in pod["metadata"].get("ownerReferences", [])):
            continue
        ready = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
        if ready != ["True"] or pod["metadata"].get("deletionTimestamp"):
            late.append(pod["metadata"]["name"])
    late += [
        item["metadata"]["name"]
        for kind in ("deployments", "statefulsets")
        for item in kubectl.get(kind, "-A")["items"]
        if item["status"].get("readyReplicas", 0) != item["spec"]["replicas"]
    ]
    late += [
        f"postgresql {cluster['metadata']['name']}: {cluster['status'].get('phase')}"
        for cluster in kubectl.get("clusters.postgresql.cnpg.io", "-A")["items"]
        if cluster["status"].get("readyInstances") != cluster["spec"]["instances"]
    ]
    return late


def wait_all_ready(kubectl: Kubectl, seconds: float) -> float:
    """Wait until everything is Ready without a hand on it; returns how long that took."""
    start = time.monotonic()
    wait_until(lambda: not not_ready(kubectl), f"everything Ready; late: {not_ready(kubectl)}", seconds)
    return time.monotonic() - start


def report(capsys, name: str, **figures: object) -> None:
    """Show the figures of a test that passed, and keep them below build/."""
    folder = Path(__file__).resolve().parents[2] / "build" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1))
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))
