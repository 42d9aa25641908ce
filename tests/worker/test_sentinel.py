"""A secret that deployments carry is found nowhere at rest: not in the server's database, not in any log.

The same test without encryption finds it, so that it could.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import secrets
import signal
import sqlite3
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import WorkflowFailureError

from tests.worker.conftest import running, usable, wait_for_port
from tests.worker.support import Bench, MeddledDriver, WorkerProcess, eventually, failure
from worker.demo.embedded import dev_server_binary, free_port
from worker.encryption.command import main
from worker.models.deployment import ApprovalPolicy, Decision, Phase
from worker.models.rollout import RolloutRequest, RolloutTarget
from worker.simulator.client import SimulatorClient
from worker.simulator.store import Fault
from worker.starting.rollouts import start_rollout
from worker.starting.starter import result_of
from worker.tenancy import Tenant, deployment_workflow_id
from worker.workflows.router_deployment import RouterDeployment

SENTINEL = f"sentinel{secrets.token_hex(8)}"
"""An identifier, because it is a variable's name as well."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A dev server whose database is a file: its process and address."""
    port = free_port()
    command = [str(dev_server_binary()), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "info", "--db-filename", str(tmp_path / "temporal.db")]
    command += ["--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=true"]
    with running(command, tmp_path / "temporal.log", {}) as process:
        wait_for_port(port)
        yield process, f"127.0.0.1:{port}"


@pytest.fixture
def temporal_address(server: tuple[subprocess.Popen[bytes], str]) -> str:
    return server[1]


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_secret_rests_nowhere(
    server: tuple[subprocess.Popen[bytes], str],
    start_worker: Callable[..., WorkerProcess],
    routers: SimulatorClient,
    session: aiohttp.ClientSession,
    routers_url: str,
    tenant: Tenant,
    tmp_path: Path,
    is_encrypted: bool,
) -> None:
    process, address = server
    environment = keyring(tmp_path) if is_encrypted else {}
    client = await usable(address, **environment)
    worker = start_worker(routers_url, **environment)
    await worker.ready(session)
    bench = Bench(client, routers, tenant, MeddledDriver(session, routers_url))

    await deploy_in_every_way(bench)

    worker.process.send_signal(signal.SIGTERM)
    assert await worker.exit_code() == 0
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 20)
    found = await asyncio.to_thread(holders, tmp_path)
    assert found == (set() if is_encrypted else {"temporal.db", "worker.log"})


def holders(folder: Path) -> set[str]:
    """Return the files that hold the secret, save the simulated routers', which keep it as real ones do."""
    files = {
        "worker.log" if path.name.startswith("worker-") else path.name: path
        for path in folder.glob("*")
        if not path.name.startswith("simulator")
    }
    assert {"temporal.db", "temporal.log", "worker.log"} <= files.keys()
    return {name for name, path in files.items() if holds_sentinel(path)}


def keyring(folder: Path) -> dict[str, str]:
    path = folder / "keyring.json"
    assert main(["new-key", str(path)]) == 0
    return {"ROUTERFLEET_KEYRING_FILE": str(path)}


async def deploy_in_every_way(bench: Bench) -> None:
    """Deploy with the secret in input, result, failure, memo, update and child, to each kind of end."""
    secret = {"variables": {"name": SENTINEL}}
    deployed = await bench.start(await bench.router(), **secret)
    result = await result_of(deployed.handle)
    assert (result.phase, f"hostname {SENTINEL}" in result.commands) == (Phase.DEPLOYED, True)

    router = await bench.router()
    await bench.routers.set_fault(router, Fault.REFUSE_VERIFY)
    assert await kind_of_failure(bench, router, **secret) == "DeploymentRolledBack"
    # The failure itself says it: the template names a variable that has no value.
    assert await kind_of_failure(bench, await bench.router(), template=f"hostname ${SENTINEL}") == (
        "DeploymentRefused"
    )
    await deny(bench)
    await roll_out(bench)


async def kind_of_failure(bench: Bench, router: str, **changes: object) -> str | None:
    started = await bench.start(router, **changes)
    with pytest.raises(WorkflowFailureError) as caught:
        await result_of(started.handle)
    return failure(caught.value)[0]


async def deny(bench: Bench) -> None:
    """Have a change refused with the secret in the comment, of a workflow with the secret in its memo."""
    router = await bench.router()
    handle = await bench.client.start_workflow(
        RouterDeployment.run,
        bench.request(router, approval=ApprovalPolicy(), requested_by=SENTINEL),
        id=deployment_workflow_id(bench.tenant.name, router),
        task_queue=bench.tenant.task_queue,
        memo={"note": SENTINEL},
        static_summary=SENTINEL,
    )

    async def is_waiting() -> bool:
        return (await handle.query(RouterDeployment.progress)).phase is Phase.AWAITING_APPROVAL

    await eventually(is_waiting)
    await handle.execute_update(RouterDeployment.decide, Decision("eve", is_approved=False, comment=SENTINEL))
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert SENTINEL in failure(caught.value)[1]
    assert await (await handle.describe()).memo() == {"note": SENTINEL}


async def roll_out(bench: Bench) -> None:
    """Carry the secret through a parent and two children, one of which fails."""
    target = RolloutTarget(await bench.router(), variables={"name": SENTINEL})
    broken = RolloutTarget(await bench.router())
    request = RolloutRequest(
        tenant=bench.tenant.name,
        change_id="change-2",
        template=f"hostname $name\n! {SENTINEL}",
        targets=(target, broken),
        error_budget=1,
        attempts_max=2,
    )
    started = await start_rollout(bench.client, bench.tenant, request)
    report = await result_of(started.handle)
    assert report.counts["deployed"] == 1


def holds_sentinel(path: Path) -> bool:
    """Return whether the file holds the secret in any form: bytes as they are, and each value of a database."""
    pieces = [path.read_bytes()]
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - its own schema
                    pieces += [value if isinstance(value, bytes) else str(value).encode() for value in row]
        assert len(pieces) > 1000
    return any(form in plain for piece in pieces for plain in unpacked(piece) for form in FORMS)


def unpacked(piece: bytes) -> Iterator[bytes]:
    """Yield the bytes, and what they unpack to wherever a gzip or zlib stream may begin."""
    yield piece
    if len(piece) > 1 << 20:
        return
    for magic, bits in ((b"\x1f\x8b", 31), (b"\x78\x01", 15), (b"\x78\x9c", 15), (b"\x78\xda", 15)):
        position = piece.find(magic)
        while position >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(bits).decompress(piece[position:])
            position = piece.find(magic, position + 1)


def forms(text: str) -> list[bytes]:
    """Return what a text may look like: in UTF-8 and UTF-16, in hexadecimal, and in base64 at each offset."""
    encoded = text.encode()
    shifted = [base64.b64encode(b"\0" * skip + encoded)[4:-4] for skip in range(3)]
    return [encoded, text.encode("utf-16-le"), text.encode("utf-16-be"), encoded.hex().encode(), *shifted]


FORMS = forms(SENTINEL)


@pytest.mark.parametrize(
    "piece",
    [
        SENTINEL.encode(),
        SENTINEL.encode("utf-16"),
        SENTINEL.encode("utf-16-be"),
        base64.b64encode(f'{{"name":"{SENTINEL}"}}'.encode()),
        base64.b64encode(f'{{"name": "{SENTINEL}"}}'.encode()),
        base64.urlsafe_b64encode(f"a{SENTINEL}b".encode()),
        SENTINEL.encode().hex().encode(),
        b"\0\1" + zlib.compress(SENTINEL.encode() * 3),
        b"\0\1" + gzip.compress(SENTINEL.encode()),
    ],
    ids=["plain", "utf-16", "utf-16-be", "base64", "base64-spaced", "base64-shifted", "hex", "zlib", "gzip"],
)
def test_search_finds_every_form(tmp_path: Path, piece: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before " + piece + b" after")

    assert holds_sentinel(path)
