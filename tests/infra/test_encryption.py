"""Payload encryption: where the keyring may be seen, who mounts it, and what is refused of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.settings import SettingsError, load, load_payload_keys, load_stack, parse
from infra.settings.encryption import keyring_problems
from tests.infra.recorder import Recording, record
from tests.infra.support import KEYRING, deployed, encrypted, settings, tree

KEY = json.loads(KEYRING)["keys"]["k1"]
SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi's protocol marks a value as secret."""


@pytest.fixture(scope="module")
def recording() -> Recording:
    return deployed(settings(encrypted))


def open_values(value: Any) -> Iterator[str]:
    """Yield every text that is not inside a secret."""
    if isinstance(value, dict):
        if SECRET_MARK not in value.values():
            for key, item in value.items():
                yield key
                yield from open_values(item)
    elif isinstance(value, list):
        for item in value:
            yield from open_values(item)
    else:
        yield str(value)


def container(recording: Recording, name: str) -> dict[str, Any]:
    return recording.named("Deployment", name)["spec"]["template"]["spec"]["containers"][0]


def variables(recording: Recording, name: str) -> dict[str, str]:
    return {entry["name"]: entry.get("value") for entry in container(recording, name)["env"]}


def mounts(recording: Recording, name: str) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container(recording, name)["volumeMounts"]}


def test_the_keyring_is_a_secret_of_pulumis_and_nothing_else(recording: Recording) -> None:
    (secret,) = recording.of_kind("Secret")
    data = secret.inputs["data"]

    assert SECRET_MARK in data.values()
    assert base64.b64decode(data["value"]["keyring.json"]).decode() == KEYRING
    shown = [text for found in recording.resources for text in open_values(found.inputs)]
    shown += [text for outputs in recording.component_outputs.values() for text in open_values(outputs)]
    assert len(shown) > 1000
    for form in (KEYRING, KEY, base64.b64encode(KEYRING.encode()).decode()):
        assert [text for text in shown if form in text] == []


@pytest.mark.parametrize("name", ["worker-shared", "codec-server"])
def test_whoever_decrypts_mounts_the_keyring(recording: Recording, name: str) -> None:
    volumes = recording.named("Deployment", name)["spec"]["template"]["spec"]["volumes"]

    assert {"name": "keyring", "secret": {"secretName": "payload-keys"}} in volumes
    (mount,) = [found for found in container(recording, name)["volumeMounts"] if found["name"] == "keyring"]
    assert mount == {"name": "keyring", "mountPath": "/etc/routerfleet-keys", "readOnly": True}
    assert variables(recording, name)["ROUTERFLEET_KEYRING_FILE"] == "/etc/routerfleet-keys/keyring.json"


def test_the_reconcile_job_does_not_see_the_keyring(recording: Recording) -> None:
    jobs = [json.dumps(job.inputs) for job in recording.of_kind("Job")]

    assert [job for job in jobs if "keyring" in job or "payload-keys" in job] == []


def test_the_web_interface_and_the_codec_server_know_each_other(recording: Recording) -> None:
    text = recording.named("ConfigMap", "temporal-ui")["data"]["cluster.yaml"]

    assert yaml.safe_load(text)["codec"] == {
        "endpoint": "http://10.96.0.99:8081",
        "passAccessToken": False,
        "includeCredentials": False,
    }
    assert variables(recording, "codec-server") == {
        "ROUTERFLEET_KEYRING_FILE": "/etc/routerfleet-keys/keyring.json",
        "ROUTERFLEET_CODEC_ADDRESS": "0.0.0.0:8081",
        "ROUTERFLEET_CODEC_ORIGINS": "http://10.96.0.99:8080",
    }
    assert recording.named("Service", "codec-server")["spec"]["type"] == "ClusterIP"


def test_people_may_come_to_the_codec_server_through_a_tunnel() -> None:
    def change(values: dict[str, Any]) -> None:
        encrypted(values)
        values["codec_server"] = {"endpoint": "http://localhost:8081", "origins": ["http://localhost:8080"]}

    found = deployed(settings(change))

    text = found.named("ConfigMap", "temporal-ui")["data"]["cluster.yaml"]
    assert yaml.safe_load(text)["codec"]["endpoint"] == "http://localhost:8081"
    origins = variables(found, "codec-server")["ROUTERFLEET_CODEC_ORIGINS"]
    assert origins == "http://10.96.0.99:8080,http://localhost:8080"


def test_a_keyring_may_be_somebody_elses_secret() -> None:
    found = deployed(settings(lambda values: values.update(payload_keys_secret="vault-keys")))

    assert found.of_kind("Secret") == []
    volumes = found.named("Deployment", "worker-shared")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "keyring", "secret": {"secretName": "vault-keys"}} in volumes


@pytest.mark.parametrize(
    "change",
    [lambda _: None, lambda values: (encrypted(values), values.update(codec_server={"is_enabled": False}))],
    ids=["without keys", "switched off"],
)
def test_without_need_there_is_no_codec_server(change: Any) -> None:
    found = deployed(settings(change))

    names = {
        item.inputs["metadata"]["name"] for kind in ("Deployment", "Service") for item in found.of_kind(kind)
    }
    assert "codec-server" not in names
    assert "codec-server" not in found.exports["components"]
    assert "codec" not in yaml.safe_load(found.named("ConfigMap", "temporal-ui")["data"]["cluster.yaml"])


def test_without_keys_workers_are_told_of_none() -> None:
    found = deployed(settings())

    assert "ROUTERFLEET_KEYRING_FILE" not in variables(found, "worker-shared")
    assert "/etc/routerfleet-keys" not in mounts(found, "worker-shared")
    assert found.exports["codec_url"] == ""


def run_with(keys: str, *, is_secret: bool = True) -> tuple[list[str], list[object]]:
    """Load settings in a running program; return what was refused, and what was found otherwise."""
    refused: list[str] = []
    found: list[object] = []

    def program() -> None:
        try:
            found.append(load())
        except SettingsError as error:
            refused.extend(str(error).splitlines())
        keyring = load_payload_keys()
        assert keyring is not None
        found.append(keyring)

    config = {f"routerfleet:{key}": json.dumps(value) for key, value in tree().items()}
    config["routerfleet:payload_keys"] = keys
    record(program, config, ["routerfleet:payload_keys"] if is_secret else [])
    return refused, found


def test_settings_hold_only_that_there_is_a_keyring() -> None:
    refused, (loaded, keyring) = run_with(KEYRING)

    assert refused == []
    assert loaded == settings(encrypted)
    assert KEY not in repr(loaded)
    assert isinstance(keyring, pulumi.Output)


def test_a_keyring_in_plain_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    line = "payload_keys: is not encrypted; encrypt it: `pulumi config set --secret routerfleet:payload_keys < keyring.json`"
    config = {f"routerfleet:{key}": value for key, value in tree().items()}
    for plain in (KEYRING, json.loads(KEYRING)):
        text = yaml.safe_dump({"config": config | {"routerfleet:payload_keys": plain}})
        (tmp_path / "Pulumi.x.yaml").write_text(text)
        with pytest.raises(SettingsError) as in_file:
            load_stack("x", tmp_path)
        with pytest.raises(SettingsError) as in_tree:
            parse(tree(lambda values: values.update(payload_keys=plain)))  # noqa: B023  # called at once

        assert (str(in_file.value), str(in_tree.value)) == (line, line)
    assert run_with(KEYRING, is_secret=False)[0] == [line]


ZERO = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("ring", "lines"),
    [
        ({"current": "a", "keys": {"a": ZERO}}, []),
        ({"current": "b", "keys": {"a": ZERO, "b": KEY}, "tenants": {"chogar": {"current": "c", "keys": {"c": ZERO}}}}, []),
        ([KEY], ["payload_keys: must be an object with `current` and `keys`"]),
        ({KEY: "a"}, [
            "payload_keys: must hold only current, keys, tenants",
            "payload_keys.keys: must be an object with at least one key by its id",
        ]),
        ({"current": "a", "keys": {}}, ["payload_keys.keys: must be an object with at least one key by its id"]),
        ({"keys": {"a": ZERO}}, ["payload_keys.current: must be the id of one of the keys"]),
        ({"current": "a", "keys": {"a": ZERO, "b": KEY[:20], "c": 3, "d": "ñ"}}, [
            "payload_keys.keys: 3 of 4 must be 32 bytes in base64"
        ]),
        ({"current": KEY, "keys": {KEY: "a"}}, [
            "payload_keys.keys: ids must be letters, digits, `.`, `_` and `-`, at most 40",
            "payload_keys.keys: 1 of 1 must be 32 bytes in base64",
        ]),
        ({"current": "a", "keys": {"a": ZERO}, "tenants": [KEY]}, [
            "payload_keys.tenants: must be an object with a keyring by tenant"
        ]),
        ({"current": "a", "keys": {"a": ZERO}, "tenants": {"chogar": KEY, "amovil": {"current": "x", "keys": {"a": ZERO}}}}, [
            "payload_keys.tenants.chogar: must be an object with `current` and `keys`",
            "payload_keys.tenants.amovil.current: must be the id of one of the keys",
            "payload_keys.tenants.amovil.keys: an id is a shared key's too; choose another",
        ]),
    ],
)  # fmt: skip
def test_a_malformed_keyring_is_refused_without_showing_it(ring: object, lines: list[str]) -> None:
    refused, _ = run_with(json.dumps(ring))

    assert refused == lines
    assert KEY not in "".join(lines)


def test_a_keyring_that_is_not_json_is_refused() -> None:
    assert keyring_problems('{"keys": ') == ["payload_keys: is not JSON (line 1, column 10)"]
