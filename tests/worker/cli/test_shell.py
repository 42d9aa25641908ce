"""What a shell sees: help, completion, streams; and a server that goes away and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.worker.cli.support import Cli
from tests.worker.support import Bench
from worker.cli.exits import Exit
from worker.demo.embedded import free_port
from worker.tenancy import Tenant

COMMANDS = ["deploy", "rollout", "watch", "approve", "reject", "pause", "resume", "cancel", "report", "list"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_help_of_every_command_tells_the_exit_codes(cli: Cli, command: str) -> None:
    answer = await cli(command, "--help")

    assert (answer.code, answer.errors) == (0, "")
    assert f"routers {command} " in answer.output
    assert "4 roll-back failed, a person must look" in " ".join(answer.output.split())


async def test_help_does_not_load_the_sdk() -> None:
    code = "import sys; from worker.cli import main; main(['--help']); sys.exit('temporalio' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.DEVNULL
    )

    assert await process.wait() == 0


async def test_completion(cli: Cli, tmp_path: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    name = tenant.name
    inventory = tmp_path / "inventory.json"
    records = [
        {"name": "mad-1", "tenant": name, "platform": "frr"},
        {"name": "mad-2", "tenant": "other", "platform": "frr"},
    ]
    inventory.write_text(json.dumps({"routers": records}))
    monkeypatch.setenv("ROUTERFLEET_INVENTORY_FILE", str(inventory))
    monkeypatch.setenv("_ROUTERS_COMPLETE", "complete_bash")

    async def complete(words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        answer = await cli()
        assert (answer.code, answer.errors) == (0, "")
        return answer.output.split()

    assert await complete("routers re") == ["reject", "resume", "report"]
    assert await complete(f"routers list --tenant {name[:3]}") == [name]
    assert await complete("routers deploy mad") == ["mad-1", "mad-2"]
    assert await complete(f"routers deploy --tenant {name} mad") == ["mad-1"]
    assert await complete(f"routers --tenant {name} report mad") == ["mad-1"]
    assert await complete("routers deploy r1 --urgency em") == ["emergency"]
    assert await complete("routers list --tenants-file /no/such --tenant t") == []


@pytest.mark.usefixtures("cli")
async def test_reader_that_goes_away_gets_no_complaint() -> None:
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m worker.cli list --json | true; exit ${{PIPESTATUS[0]}}",
        stderr=asyncio.subprocess.PIPE,
        executable="/bin/bash",
    )
    _, errors = await process.communicate()

    assert (process.returncode, errors) == (Exit.FAILED, b"")


class Line:
    """A connection to the server that can be cut."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.port = free_port()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def down(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.fixture
async def line(temporal_address: str) -> AsyncIterator[Line]:
    line = Line(temporal_address)
    await line.up()
    yield line
    await line.down()


async def test_lost_connection_is_survived(cli: Cli, bench: Bench, template: Path, line: Line) -> None:
    router = await bench.router()
    given = [
        "deploy",
        router,
        "--tenant",
        bench.tenant.name,
        "--template",
        str(template),
        "--var",
        "name=new",
    ]
    environment = {**os.environ, "TEMPORAL_ADDRESS": f"127.0.0.1:{line.port}"}
    process = await cli.process(*given, "--change", "C", "--approval", environment=environment)
    assert process.stdout is not None
    while b"awaiting-approval" not in (read := await process.stdout.readline()):
        assert read, "the command ended"
    await line.down()
    approved = await cli("approve", router, "--tenant", bench.tenant.name, "--by", "eva")
    # The deployment comes to its end while nobody can see it.
    report = await cli("watch", router, "--tenant", bench.tenant.name)
    assert (approved.code, report.code) == (0, 0)
    await line.up()
    output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    phases = [text.split()[-1] for text in output.decode().splitlines()[:-1]]
    assert [phase for phase in phases if phase in {"apply", "verify", "confirm", "deployed"}] == [
        "apply",
        "verify",
        "confirm",
        "deployed",
    ]
