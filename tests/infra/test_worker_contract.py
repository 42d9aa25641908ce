"""What the program renders, read by the workers' own code: variables, tenants, inventory, keyring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.common import WorkerDeploymentVersion

from infra.settings import load_stack
from infra.settings.encryption import keyring_problems
from tests.infra.recorder import Recording
from tests.infra.support import KEYRING, RELEASE, deployed, encrypted, settings
from worker.codec_server.command import CodecSettings
from worker.encryption.keyring import Keyring
from worker.errors import UsageError
from worker.routers.inventory import Inventory, RouterRecord
from worker.settings import WorkerSettings
from worker.tenancy import TenantsFile


@pytest.fixture(scope="module")
def recording() -> Recording:
    def change(values: dict[str, Any]) -> None:
        encrypted(values)
        values["codec_server"] = {"origins": ["https://temporal.example.net"]}
        values["tenants"].append({"name": "afijo", "strategy": "dedicated-workers"})
        router = {"name": "vlc-1", "tenant": "afijo", "platform": "frr", "host": "192.0.2.2", "port": 2222}
        values["workers"]["inventory"] = [router]
        values["workers"]["credentials_secret"] = {"default": "logins"}

    return deployed(settings(change))


def environment(recording: Recording, name: str) -> dict[str, str]:
    container = recording.named("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("pool", ["shared", "afijo"])
def test_workers_understand_what_they_are_told(recording: Recording, pool: str) -> None:
    found = WorkerSettings.from_environment(environment(recording, f"worker-{pool}"))

    assert found.tenants_file == Path("/etc/routerfleet/tenants.json")
    assert found.pool == pool
    assert found.version == WorkerDeploymentVersion(f"worker-{pool}", RELEASE.worker_tag)
    assert found.inventory_file == Path("/etc/routerfleet-inventory/inventory.json")
    logins = Path("/etc/routerfleet-credentials") if pool == "afijo" else None
    assert found.credentials_folder == logins


def test_the_codec_server_understands_what_it_is_told(recording: Recording) -> None:
    found = CodecSettings.from_environment(environment(recording, "codec-server"))

    assert found.keyring == Path("/etc/routerfleet-keys/keyring.json")
    assert (found.address.host, found.address.port) == ("0.0.0.0", 8081)  # noqa: S104  # inside a pod
    assert found.origins == {"http://10.96.0.99:8080", "https://temporal.example.net"}


def test_workers_read_the_inventory(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "inventory.json"
    path.write_text(recording.named("ConfigMap", "inventory")["data"]["inventory.json"])

    assert Inventory.load(path).all() == (RouterRecord("vlc-1", "afijo", "frr", host="192.0.2.2", port=2222),)


@pytest.mark.parametrize("stack", ["local", "staging", "production"])
def test_workers_read_the_tenants(stack: str) -> None:
    text = deployed(load_stack(stack)).named("ConfigMap", "tenants")["data"]["tenants.json"]

    found = TenantsFile.from_json(text)
    assert found.tenants == load_stack(stack).tenants
    assert found.release == RELEASE.worker_tag


OWN = "MDEy" * 10 + "MDE="
"""32 other bytes."""
RINGS = [
    (json.loads(KEYRING), True),
    ({**json.loads(KEYRING), "tenants": {"chogar": {"current": "c", "keys": {"c": OWN}}}}, True),
    ({**json.loads(KEYRING), "tenants": {"chogar": {"current": "k1", "keys": {"k1": OWN}}}}, False),
    ({"current": "k 1", "keys": {"k 1": OWN}}, False),
    ({"current": "k2", "keys": json.loads(KEYRING)["keys"]}, False),
    ({"current": "k1", "keys": {"k1": "MDEy"}}, False),
    ({"keys": json.loads(KEYRING)["keys"]}, False),
    ({**json.loads(KEYRING), "more": 1}, False),
]


@pytest.mark.parametrize(("ring", "is_good"), RINGS)
def test_program_and_workers_agree_on_what_a_keyring_is(ring: dict[str, Any], is_good: bool) -> None:
    try:
        Keyring.from_dict(ring)
        is_read = True
    except UsageError:
        is_read = False

    assert (keyring_problems(json.dumps(ring)) == [], is_read) == (is_good, is_good)
