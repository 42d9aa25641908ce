"""Commands against the dev server, with the tenant's worker of `bench`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worker.cli.support import Cli
from tests.worker.support import Bench, eventually
from worker.administration.lanes import count_workers
from worker.tenancy import Lane, TenantsFile


@pytest.fixture
def tenants_file(tmp_path: Path, tenants: TenantsFile) -> Path:
    path = tmp_path / "tenants-of-cli.json"
    path.write_text(tenants.to_json())
    return path


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.txt"
    path.write_text("hostname $name\nntp server 192.0.2.1\n")
    return path


@pytest.fixture
async def bench(bench: Bench) -> Bench:
    """The worker in this process, once the server knows that it polls: without one, commands refuse to start."""
    lane = Lane(bench.client.namespace, bench.tenant.task_queue)

    async def is_served() -> bool:
        return await count_workers(bench.client, lane) > 0

    await eventually(is_served)
    return bench


@pytest.fixture
def cli(
    temporal_address: str,
    tenants_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "ROUTERFLEET_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    monkeypatch.setenv("ROUTERFLEET_TENANTS_FILE", str(tenants_file))
    monkeypatch.setenv("COLUMNS", "200")
    return Cli(capsys)
