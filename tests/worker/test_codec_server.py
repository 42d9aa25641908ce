"""The codec server as Temporal's command line and a browser use it."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client

from tests.worker.conftest import NAMESPACE, running, wait_for_port
from tests.worker.support import Bench
from worker.client import connect
from worker.codec_server.command import CodecSettings
from worker.codec_server.service import CodecService
from worker.demo.embedded import dev_server_binary, free_port
from worker.encryption.codec import encrypt, is_encrypted
from worker.encryption.command import main
from worker.encryption.keyring import KeyringFile
from worker.errors import UsageError
from worker.starting.starter import result_of

SECRET = "s3cret-community-string"
ORIGIN = "https://temporal.example.net"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=f'"{SECRET}"'.encode())


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    assert main(["new-key", str(path)]) == 0
    return path


@pytest.fixture
async def codec(keyring: Path) -> AsyncIterator[TestClient]:
    service = CodecService(KeyringFile(keyring), frozenset({ORIGIN}), may_encode=True)
    async with TestClient(TestServer(service.application())) as client:
        yield client


def body(*payloads: Payload) -> str:
    return json_format.MessageToJson(Payloads(payloads=payloads))


async def payloads_of(response: aiohttp.ClientResponse) -> list[Payload]:
    assert response.status == HTTPStatus.OK, await response.text()
    return list(json_format.Parse(await response.text(), Payloads()).payloads)


@pytest.mark.parametrize("path", ["/decode", "/production/decode", "/tenants/chogar/decode"])
async def test_decodes_at_any_depth(codec: TestClient, keyring: Path, path: str) -> None:
    sealed = encrypt(KeyringFile(keyring), "chogar", PLAIN)

    response = await codec.post(path, data=body(sealed, PLAIN), headers={"X-Namespace": "production"})

    assert await payloads_of(response) == [PLAIN, PLAIN]


async def test_payload_without_its_key_comes_back_as_it_is(
    codec: TestClient, keyring: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other.json"
    assert main(["new-key", str(other)]) == 0
    strange = encrypt(KeyringFile(other), "chogar", PLAIN)
    known = encrypt(KeyringFile(keyring), "chogar", PLAIN)

    response = await codec.post("/decode", data=body(strange, known), headers={"X-Namespace": "production"})

    assert await payloads_of(response) == [strange, PLAIN]
    assert caplog.messages == ["1 of 2 payloads of 'production' left encrypted"]


async def test_encodes_for_a_named_tenant_only(codec: TestClient, keyring: Path) -> None:
    sealed = await payloads_of(await codec.post("/tenants/chogar/encode", data=body(PLAIN)))
    assert is_encrypted(sealed[0])
    assert sealed[0].metadata["encryption-key-id"].startswith(b"chogar/")
    assert (await codec.post("/encode", data=body(PLAIN))).status == HTTPStatus.FORBIDDEN
    assert (await codec.post("/tenants/Chogar!/encode", data=body(PLAIN))).status == HTTPStatus.BAD_REQUEST
    service = CodecService(KeyringFile(keyring), frozenset())
    async with TestClient(TestServer(service.application())) as reader:
        refused = await reader.post("/tenants/chogar/encode", data=body(PLAIN))
    assert refused.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("text", ["", "[1]", "{", f'{{"payloads": "{SECRET}"}}', f'{{"{SECRET}": 1}}'])
async def test_body_that_is_no_payloads_is_refused_and_not_quoted(codec: TestClient, text: str) -> None:
    response = await codec.post("/decode", data=text)

    assert response.status == HTTPStatus.BAD_REQUEST
    assert await response.text() == "the body must be temporal.api.common.v1.Payloads as JSON"


async def test_only_listed_pages_may_call(codec: TestClient) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example.net", None), (None, None)):
        headers = {"Origin": origin} if origin else {}
        preflight = await codec.options("/decode", headers=headers)
        answer = await codec.post("/decode", data=body(PLAIN), headers=headers)
        refusal = await codec.post("/decode", data="{", headers=headers)
        for response in (preflight, answer, refusal):
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
            assert response.headers["Vary"] == "Origin"
    preflight = await codec.options("/production/decode", headers={"Origin": ORIGIN})
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization, content-type, x-namespace"


async def test_other_paths_are_not_found(codec: TestClient) -> None:
    assert (await codec.get("/healthz")).status == HTTPStatus.OK
    assert (await codec.get("/decode")).status == HTTPStatus.METHOD_NOT_ALLOWED
    assert (await codec.post("/keys")).status == HTTPStatus.METHOD_NOT_ALLOWED
    assert (await codec.get("/keys")).status == HTTPStatus.METHOD_NOT_ALLOWED


def test_settings() -> None:
    settings = CodecSettings.from_environment(
        {"ROUTERFLEET_KEYRING_FILE": "k", "ROUTERFLEET_CODEC_ORIGINS": f"{ORIGIN}, http://localhost:8233"}
    )

    assert str(CodecSettings.address) == "0.0.0.0:8081"
    assert settings == CodecSettings(
        Path("k"), CodecSettings.address, frozenset({ORIGIN, "http://localhost:8233"})
    )


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "ROUTERFLEET_KEYRING_FILE: not set; it has no default"),
        (
            {"ROUTERFLEET_KEYRING_FILE": "k", "ROUTERFLEET_CODEC_ADDRESS": "8081"},
            "ROUTERFLEET_CODEC_ADDRESS: '8081' must be HOST:PORT, for example 0.0.0.0:8080",
        ),
        (
            {"ROUTERFLEET_KEYRING_FILE": "k", "ROUTERFLEET_CODEC_ORIGINS": "*"},
            "ROUTERFLEET_CODEC_ORIGINS: '*' must be an origin without a path, for example https://temporal.example.net",
        ),
    ],
)
def test_bad_settings_are_one_line(environment: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        CodecSettings.from_environment(environment)

    assert str(caught.value) == problem


@pytest.fixture
async def client(temporal_address: str, keyring: Path) -> Client:
    environment = {"TEMPORAL_ADDRESS": temporal_address, "ROUTERFLEET_KEYRING_FILE": str(keyring)}
    return await connect(environment, namespace=NAMESPACE)


@pytest.fixture
def server(keyring: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """The codec server in a process of its own: the process, its address and its log."""
    port = free_port()
    environment = {
        "ROUTERFLEET_KEYRING_FILE": str(keyring),
        "ROUTERFLEET_CODEC_ADDRESS": f"127.0.0.1:{port}",
    }
    log = tmp_path / "codec.log"
    with running([sys.executable, "-m", "worker.codec_server"], log, environment) as process:
        wait_for_port(port)
        yield process, f"http://127.0.0.1:{port}", log


async def test_temporal_command_line_shows_the_deployment_decrypted(
    bench: Bench, temporal_address: str, server: tuple[subprocess.Popen[bytes], str, Path]
) -> None:
    process, url, log = server
    router = await bench.router()
    started = await bench.start(router, variables={"name": SECRET})
    await result_of(started.handle)

    def show(*options: str) -> str:
        command = [str(dev_server_binary()), "workflow", "show", "--workflow-id", started.handle.id]
        command += ["--address", temporal_address, "--namespace", NAMESPACE, "--detailed", *options]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    hidden = await asyncio.to_thread(show)
    shown = await asyncio.to_thread(show, "--codec-endpoint", f"{url}/{{namespace}}")

    assert SECRET not in hidden
    assert SECRET in shown
    assert f'"router":"{router}","tenant":"{bench.tenant.name}"}}' in shown
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert log.read_text() == ""


def test_bad_keyring_ends_the_server_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / f"{secrets.token_hex(4)}.json"
    environment = {"ROUTERFLEET_KEYRING_FILE": str(path), "ROUTERFLEET_CODEC_ADDRESS": "127.0.0.1:0"}
    log = tmp_path / "codec.log"
    with running([sys.executable, "-m", "worker.codec_server"], log, environment) as process:
        assert process.wait(30) == 2
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["message"] == f"{path}: No such file or directory"
