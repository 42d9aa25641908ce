"""What a run is aimed at: the one module of the load tests that reads a stack's outputs.

`dev` is no stack: it is Temporal's dev server with the simulated routers and a worker on this machine, brought up
for the run, so that everything can be tried without a cluster.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from infra import names
from load_tests.errors import LoadTestError
from worker.bench.support.stage import answers, stage
from worker.demo.deployments import DEFAULT_TENANTS
from worker.demo.embedded import Part, part
from worker.tenancy import SHARED_POOL, TenancyError, TenantsFile

DEV = "dev"
"""Name of the stack that is none."""
BALANCER_PORT = 7233
"""Of each load balancer's pod; Temporal's own."""
_WORKLOAD = (sys.executable, "-m", "load_tests.workload")
_DEV_SETTINGS: Mapping[str, object] = {
    "frontend.namespaceRPS": 20_000,
    "frontend.persistenceMaxQPS": 20_000,
    "history.persistenceMaxQPS": 20_000,
}
"""The dev server's limits are for one developer; a run that meets them measures them and nothing else."""


@dataclass(frozen=True)
class Target:
    """What a run is aimed at."""

    stack: str
    address: str
    """Host and port where the teams connect."""
    zone_addresses: Mapping[str, str]
    """Host and port of each zone's load balancer, by zone; one with an empty name where there are no zones."""
    tenants: TenantsFile
    routers_url: str
    keyring_file: Path | None = None
    """With it clients encrypt what they send; None: payloads are plain."""
    kubernetes_namespace: str = ""
    """Empty where there is no cluster."""
    balancer_service: str = ""
    """Kubernetes Service before the load balancers; empty where there is no cluster."""
    is_drill_allowed: bool = False
    components: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """As the stack's output of that name."""
    server_process: int | None = None
    """Of the dev server; None where the server is not on this machine."""

    def namespace_of(self, tenant: str) -> str:
        """Return the Temporal namespace of a tenant's workflows."""
        return self.tenants.namespace_of(self.tenants.tenant(tenant))

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Temporal namespaces of all tenants, each once."""
        return tuple(sorted({self.tenants.namespace_of(tenant) for tenant in self.tenants.tenants}))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for the processes of the generator."""
        return {
            "stack": self.stack,
            "address": self.address,
            "zone_addresses": dict(self.zone_addresses),
            "tenants": self.tenants.to_dict(),
            "routers_url": self.routers_url,
            "keyring_file": str(self.keyring_file) if self.keyring_file else None,
            "kubernetes_namespace": self.kubernetes_namespace,
            "balancer_service": self.balancer_service,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Target:
        """Read what `to_json` wrote."""
        return cls(
            stack=values["stack"],
            address=values["address"],
            zone_addresses=values["zone_addresses"],
            tenants=TenantsFile.from_dict(values["tenants"]),
            routers_url=values["routers_url"],
            keyring_file=Path(values["keyring_file"]) if values["keyring_file"] else None,
            kubernetes_namespace=values["kubernetes_namespace"],
            balancer_service=values["balancer_service"],
        )


@asynccontextmanager
async def aimed_at(stack: str, *, has_workload: bool = True) -> AsyncIterator[Target]:
    """Give the target while the block runs, with a process that runs the load tests' own workflows.

    Args:
        stack: Name of the Pulumi stack, or `dev`.
        has_workload: Whether that process is needed.

    Raises:
        LoadTestError: When the stack is not up, or something of it cannot be read.
    """
    async with AsyncExitStack() as resources:
        folder = Path(resources.enter_context(TemporaryDirectory(prefix="routerfleet-load-")))
        if stack == DEV:
            target = await resources.enter_async_context(_dev(DEFAULT_TENANTS))
        else:
            target = await asyncio.to_thread(read_target, stack, folder)
        if has_workload:
            await resources.enter_async_context(workload(target, folder))
        yield target


@asynccontextmanager
async def workload(target: Target, folder: Path) -> AsyncIterator[Part]:
    """Run the process that serves the load tests' own queue while the block runs; it is on this machine.

    Outside the failure domain on purpose: what a drill kills are the system's parts, not the instrument's.

    Raises:
        LoadTestError: When it does not start.
    """
    environment = {
        "TEMPORAL_ADDRESS": target.address,
        "LOAD_TESTS_NAMESPACES": ",".join(target.namespaces),
        "LOAD_TESTS_READY_FILE": str(folder / "workload.ready"),
        "LOAD_TESTS_ROUTERS_URL": target.routers_url,
        **({"ROUTERFLEET_KEYRING_FILE": str(target.keyring_file)} if target.keyring_file else {}),
    }
    async with part(folder / "workload.log", _WORKLOAD, environment) as process:

        async def is_ready() -> bool:
            return (folder / "workload.ready").exists()

        await process.wait_until(is_ready)
        yield process


@asynccontextmanager
async def _dev(tenants: TenantsFile) -> AsyncIterator[Target]:
    async with stage(tenants, _DEV_SETTINGS) as running, running.worker(SHARED_POOL, tenants) as worker:
        await worker.wait_until(lambda: answers(worker.ready_url))
        yield Target(
            stack=DEV,
            address=running.address,
            zone_addresses={"": running.address},
            tenants=tenants,
            routers_url=running.routers_url,
            is_drill_allowed=True,
            server_process=running.server.process.pid,
        )


def read_target(stack: str, folder: Path) -> Target:
    """Read a stack that is up: its outputs, and from its cluster where each zone's load balancer is.

    Args:
        stack: Name of the Pulumi stack.
        folder: Where the keyring is put, readable by its owner only.

    Raises:
        LoadTestError: When Pulumi or the cluster does not tell; the message is theirs.
    """
    outputs = _ask("pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive")
    try:
        namespace = str(outputs["kubernetes_namespace"])
        return Target(
            stack=stack,
            address=str(outputs["frontend_address"]),
            zone_addresses=_balancers(namespace, outputs["components"][names.BALANCER]["selector"]),
            tenants=_tenants(namespace),
            routers_url=_routers_url(namespace),
            keyring_file=_keyring(namespace, folder),
            kubernetes_namespace=namespace,
            balancer_service=names.ADDRESS_SERVICE,
            is_drill_allowed=bool(outputs["is_drill_allowed"]),
            components=outputs["components"],
        )
    except KeyError as error:
        raise LoadTestError(
            f"--stack: {stack} has no output {error}; run `pulumi up -s {stack}` to the end first"
        ) from error


def _ask(*command: str) -> dict[str, Any]:
    """Return what a tool answers in JSON."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadTestError(
            f'{command[0]}: {error}; in the lab, run eval "$(python -m lab env)" first'
        ) from error
    if done.returncode != 0:
        raise LoadTestError(f"{' '.join(command[:3])}: {' '.join(done.stderr.split()) or done.returncode}")
    return cast("dict[str, Any]", json.loads(done.stdout))


def _get(namespace: str, *what: str) -> dict[str, Any]:
    return _ask("kubectl", "get", *what, "-n", namespace, "-o", "json")


def _balancers(namespace: str, selector: str) -> dict[str, str]:
    """Return the address of the load balancer's pod in each zone."""
    zones = {
        node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in _ask("kubectl", "get", "nodes", "-o", "json")["items"]
    }
    return {
        zones[pod["spec"]["nodeName"]]: f"{pod['status']['podIP']}:{BALANCER_PORT}"
        for pod in _get(namespace, "pods", "-l", selector)["items"]
        if pod["status"].get("podIP") and not pod["metadata"].get("deletionTimestamp")
    }


def _tenants(namespace: str) -> TenantsFile:
    text = _get(namespace, "configmap", names.TENANTS)["data"][names.TENANTS_KEY]
    try:
        return TenantsFile.from_json(text)
    except TenancyError as error:
        raise LoadTestError(f"configmap {names.TENANTS}: {error}") from error


def _routers_url(namespace: str) -> str:
    """Return where the simulated routers are, as the workers are told."""
    for deployment in _get(namespace, "deployments")["items"]:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            for variable in container.get("env", []):
                if variable["name"] == "ROUTERFLEET_ROUTERS_URL":
                    return str(variable["value"])
    raise LoadTestError(
        f"namespace {namespace}: no workload has ROUTERFLEET_ROUTERS_URL, so no simulated routers"
    )


def _keyring(namespace: str, folder: Path) -> Path | None:
    """Return a file with the keyring that the stack's workers have; None where nothing is encrypted."""
    secrets = _get(namespace, "secrets", "--field-selector", f"metadata.name={names.PAYLOAD_KEYS}")["items"]
    if not secrets:
        return None
    path = folder / names.PAYLOAD_KEYS_KEY
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(secrets[0]["data"][names.PAYLOAD_KEYS_KEY]))
    return path
