"""Every strategy on the running stack: each tenant's deployments end well, encrypted, on the workers meant for them."""

import asyncio
import base64
import json
import secrets
import subprocess

import aiohttp
import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client

from infra import names
from tests.live.conftest import ROOT, STACK
from tests.live.support import CommandLine, Connected, pods, routers_url
from worker.models.deployment import Phase
from worker.simulator.client import tally

pytestmark = pytest.mark.skipif(STACK != "local", reason="the local stack has a tenant of each strategy")

POOLS = {
    "chogar": "worker-shared",
    "amovil": "worker-shared",
    "afijo": "worker-afijo",
    "piloto": "worker-shared",
}


@pytest.fixture
def connected(kubectl, outputs, keyring_file) -> Connected:
    """A fleet that connects through the load balancer."""
    url = routers_url(kubectl, outputs["kubernetes_namespace"])
    return Connected(outputs["frontend_address"], keyring_file, url)


async def test_a_tenant_of_each_strategy_deploys_on_its_own_workers(connected, outputs):
    async with connected as fleet:
        await fleet.start(outputs["tenants"], 2 * len(POOLS), 0)
        phases = await fleet.phases()
        applied = await fleet.applied()
        workers: dict[str, set[str]] = {}
        for one in fleet.started:
            events = (await one.handle.fetch_history()).events
            found = {e.activity_task_started_event_attributes.identity for e in events}
            found |= {e.workflow_task_completed_event_attributes.identity for e in events}
            workers.setdefault(one.handle.id.split("-")[1], set()).update(found - {""})

    assert phases == [Phase.DEPLOYED] * len(phases)
    assert applied == [1] * len(applied)
    # An identity is "process@pod".
    pools = {
        tenant: {i.partition("@")[2].rsplit("-", 2)[0] for i in found} for tenant, found in workers.items()
    }
    assert pools == {tenant: {pool} for tenant, pool in POOLS.items()}


async def test_the_command_line_deploys_for_a_tenant_of_each_strategy(
    connected, kubectl, outputs, keyring_file, tmp_path
):
    command = CommandLine(kubectl, outputs, keyring_file, tmp_path)
    run = secrets.token_hex(3)
    async with connected as fleet:
        for tenant in POOLS:
            await fleet.routers.put_router(f"{tenant}-{run}", tenant)
        answers = await asyncio.gather(*(command.deploy(tenant, f"{tenant}-{run}") for tenant in POOLS))
        found = {
            report["tenant"]: (code, report["phase"], errors, await applied_by(fleet, report))
            for code, report, errors in answers
        }

    assert found == dict.fromkeys(POOLS, (0, "deployed", "", 1))


async def applied_by(fleet, report: dict) -> int:
    """Return how often the ledger shows the reported deployment's change applied."""
    return tally(await fleet.routers.ledger(f"{report['workflow_id']}/{report['run_id']}/")).applied


def test_a_tenant_with_dedicated_workers_is_guaranteed_them(kubectl, outputs):
    found = pods(kubectl, outputs["kubernetes_namespace"], outputs["components"]["worker-afijo"]["selector"])

    assert [pod["status"]["qosClass"] for pod in found] == ["Guaranteed"] * 3


async def test_payloads_are_stored_encrypted_and_the_web_interface_can_have_them_decrypted(
    connected, outputs
):
    async with connected as fleet:
        await fleet.start(outputs["tenants"], 1, 0)
        await fleet.phases()
        handle = fleet.started[0].handle
    plain = await Client.connect(
        outputs["frontend_address"], namespace=outputs["tenants"]["afijo"]["namespace"]
    )
    history = await plain.get_workflow_handle(handle.id).fetch_history()
    (payload,) = history.events[0].workflow_execution_started_event_attributes.input.payloads
    body = json.loads(json_format.MessageToJson(Payloads(payloads=[payload])))

    assert payload.metadata["encoding"] == b"binary/encrypted"
    assert handle.id.encode() not in payload.data
    async with aiohttp.ClientSession() as session:
        for origin, is_allowed in ((outputs["ui_url"], True), ("http://elsewhere.example.net", False)):
            url = f"{outputs['codec_url']}/decode"
            async with session.post(url, json=body, headers={"Origin": origin}) as answer:
                assert answer.status == 200
                (decoded,) = (await answer.json())["payloads"]
                allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert json.loads(base64.b64decode(decoded["data"]))["router"] in handle.id
            assert allowed == (origin if is_allowed else None)


async def test_the_web_interface_tells_browsers_where_payloads_are_decrypted(outputs):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{outputs['ui_url']}/api/v1/settings") as answer,
    ):
        settings = await answer.json()

    assert settings["Codec"]["Endpoint"] == outputs["codec_url"]


def test_the_keyring_is_nowhere_to_be_read(kubectl, lab_env, outputs, keyring):
    namespace = outputs["kubernetes_namespace"]
    secret = kubectl.get("secret", names.PAYLOAD_KEYS, "-n", namespace)["data"][names.PAYLOAD_KEYS_KEY]
    state = subprocess.run(
        ["pulumi", "stack", "export", "-s", STACK], cwd=ROOT, env=lab_env, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    described = "".join(
        kubectl.run("get", kind, "-n", namespace, "-o", "json") for kind in ("pods", "configmaps")
    )
    logs = "".join(
        kubectl.run("logs", "-n", namespace, "-l", outputs["components"][name]["selector"], "--tail=-1")
        for name in ("worker-shared", "worker-afijo", names.CODEC_SERVER)
    )

    keys = list(keyring["keys"].values())
    assert keys
    # Names only: a failure must not print what it found.
    texts = {"state": state, "pods and maps": described, "logs": logs}
    assert [name for name, text in texts.items() if any(form in text for form in (secret, *keys))] == []
