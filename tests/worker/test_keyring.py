"""The keyring file and its command: what is accepted, what is refused, and that no key is shown."""

from __future__ import annotations

import base64
import hmac
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload

from worker.encryption.codec import UnreadableError, decrypt, encrypt
from worker.encryption.command import main
from worker.encryption.keyring import Keyring, KeyringFile
from worker.errors import UsageError

KEY_1 = base64.b64encode(b"1" * 32).decode()
KEY_2 = base64.b64encode(b"2" * 32).decode()
SHORT = base64.b64encode(b"short").decode()
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"secret"')


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "keys: must be a JSON object"),
        ({"current": "k1", "keys": []}, "keys: must be a JSON object"),
        ({"current": "k1", "keys": {}}, "current: 'k1' must be the id of one of the keys: none"),
        ({"keys": {"k1": KEY_1}}, "current: None must be the id of one of the keys: k1"),
        (
            {"current": "k1", "keys": {"k1": SHORT}},
            "keys.k1: must be 32 bytes in base64 (python -m worker.encryption new-key)",
        ),
        (
            {"current": "k1", "keys": {"k1": KEY_1 + "!"}},
            "keys.k1: must be 32 bytes in base64 (python -m worker.encryption new-key)",
        ),
        (
            {"current": "a/b", "keys": {"a/b": KEY_1}},
            "keys: id 'a/b' must be letters, digits, `.`, `_` and `-`, at most 40",
        ),
        (
            {"current": "k1", "keys": {"k1": KEY_1}, "key": KEY_2},
            "keyring: unknown key 'key'; known keys: current, keys, tenants",
        ),
        (
            {
                "current": "k1",
                "keys": {"k1": KEY_1},
                "tenants": {"chogar": {"current": "k1", "keys": {"k1": KEY_2}}},
            },
            "tenants.chogar.keys: id 'k1' is a shared key's too; choose another id",
        ),
        (
            {
                "current": "k1",
                "keys": {"k1": KEY_1},
                "tenants": {"chogar": {"current": "own", "keys": {"own": SHORT}}},
            },
            "tenants.chogar.keys.own: must be 32 bytes in base64 (python -m worker.encryption new-key)",
        ),
    ],
)
def test_bad_keyring_is_one_line_without_key_material(
    tmp_path: Path, values: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(json.dumps(values))

    with pytest.raises(UsageError) as caught:
        Keyring.load(path)

    assert str(caught.value) == f"{path}: {problem}"
    assert not any(key in str(caught.value) for key in (KEY_1, KEY_2, SHORT))


@pytest.mark.parametrize("text", ["{ " + KEY_1, "[]", KEY_1, ""])
def test_file_that_is_no_keyring_is_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(text)

    with pytest.raises(UsageError) as caught:
        Keyring.load(path)

    assert str(caught.value) in {f"{path}: keyring is not JSON", f"{path}: keyring: must be a JSON object"}
    assert caught.value.__cause__ is None or KEY_1 not in str(caught.value.__cause__)


def test_repr_shows_no_key() -> None:
    keyring = Keyring.from_dict({"current": "k1", "keys": {"k1": KEY_1}})
    keyring.cipher("chogar", "k1")

    assert repr(keyring) == "Keyring(shared=KeySet(current='k1'), tenants={})"


def test_tenants_share_no_key(tmp_path: Path) -> None:
    keys = keyring_file(tmp_path, {"current": "k1", "keys": {"k1": KEY_1}})
    sealed = encrypt(keys, "chogar", PLAIN)
    assert decrypt(keys, sealed) == PLAIN
    foreign = Payload()
    foreign.CopyFrom(sealed)
    foreign.metadata["encryption-key-id"] = b"amovil/k1"

    with pytest.raises(UnreadableError, match=r"^key amovil/k1 does not open it"):
        decrypt(keys, foreign)


def test_tenant_with_keys_of_its_own_uses_them_and_reads_what_is_older(tmp_path: Path) -> None:
    shared = {"current": "k1", "keys": {"k1": KEY_1}}
    keys = keyring_file(tmp_path, shared)
    older = encrypt(keys, "chogar", PLAIN)
    keys = keyring_file(
        tmp_path, {**shared, "tenants": {"chogar": {"current": "own", "keys": {"own": KEY_2}}}}
    )

    newer = encrypt(keys, "chogar", PLAIN)

    assert newer.metadata["encryption-key-id"] == b"chogar/own"
    assert encrypt(keys, "amovil", PLAIN).metadata["encryption-key-id"] == b"amovil/k1"
    assert [decrypt(keys, older), decrypt(keys, newer)] == [PLAIN, PLAIN]


def test_format_is_the_one_that_is_stored(tmp_path: Path) -> None:
    """Opens a payload by the standards alone: HKDF-SHA256 (RFC 5869) and AES-256-GCM. A change here loses data."""
    sealed = encrypt(keyring_file(tmp_path, {"current": "k1", "keys": {"k1": KEY_1}}), "chogar", PLAIN)
    extracted = hmac.digest(bytes(32), b"1" * 32, "sha256")
    key = hmac.digest(extracted, b"routerfleet/payload/chogar" + b"\x01", "sha256")

    opened = AESGCM(key).decrypt(sealed.data[:12], sealed.data[12:], b"routerfleet/payload/1/chogar/k1")

    assert Payload.FromString(opened) == PLAIN
    assert sealed.metadata == {"encoding": b"binary/encrypted", "encryption-key-id": b"chogar/k1"}


def test_changed_payload_is_refused(tmp_path: Path) -> None:
    keys = keyring_file(tmp_path, {"current": "k1", "keys": {"k1": KEY_1}})
    sealed = encrypt(keys, "chogar", PLAIN)
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])

    with pytest.raises(UnreadableError):
        decrypt(keys, sealed)


def test_same_payload_is_never_the_same_ciphertext(tmp_path: Path) -> None:
    keys = keyring_file(tmp_path, {"current": "k1", "keys": {"k1": KEY_1}})

    assert len({encrypt(keys, "chogar", PLAIN).data for _ in range(100)}) == 100


def test_file_is_followed_and_a_broken_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keyring.json"
    keys = keyring_file(tmp_path, {"current": "k1", "keys": {"k1": KEY_1}})
    elsewhere = keyring_file(tmp_path / "elsewhere", {"current": "k2", "keys": {"k1": KEY_1, "k2": KEY_2}})
    sealed = encrypt(elsewhere, "chogar", PLAIN)
    with pytest.raises(UnreadableError, match=r"^key chogar/k2 is not in the keyring$"):
        decrypt(keys, sealed)

    path.write_text("{ half a keyr")
    assert keys.keyring(is_stale=True).current("chogar") == "k1"
    assert f"keeping the keys as they were: {path}: keyring is not JSON" in caplog.text
    path.write_text(json.dumps({"current": "k1", "keys": {"k1": KEY_1, "k2": KEY_2}}))

    # An unknown key is looked for at once.
    assert decrypt(keys, sealed) == PLAIN


def test_commands_rotate_without_showing_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keyring.json"
    steps = ["new-key", "new-key", "rotate", "check"]

    codes = [main([step, str(path)]) for step in steps]

    keyring = Keyring.load(path)
    first, second = keyring.shared.keys
    assert codes == [0, 0, 0, 0]
    assert keyring.shared.current == second
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["remove-key", str(path), first]) == 0
    assert list(Keyring.load(path).shared.keys) == [second]
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{path}: new, with key {first}",
        f"{path}: added key {second}; when every worker, client and codec server has this file: rotate",
        f"{path}: current key is {second}, was {first}",
        f"shared: {first}, {second} (current)",
        f"{path}: removed key {first}; left: {second}",
    ]
    for key in keyring.shared.keys.values():
        assert base64.b64encode(key).decode() not in said.out + said.err
    assert [file.name for file in tmp_path.iterdir()] == ["keyring.json"]


def test_commands_for_a_tenants_own_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keyring.json"
    assert main(["new-key", str(path), "--tenant", "chogar"]) == 2
    assert main(["new-key", str(path)]) == 0

    assert main(["new-key", str(path), "--tenant", "chogar"]) == 0
    assert main(["new-key", str(path), "--tenant", "chogar"]) == 0
    assert main(["rotate", str(path), "--tenant", "chogar"]) == 0

    keyring = Keyring.load(path)
    assert keyring.current("chogar") == list(keyring.tenants["chogar"].keys)[-1]
    assert keyring.current("amovil") == keyring.shared.current
    assert capsys.readouterr().err == (
        f"{path}: does not exist; make the shared key first, without --tenant\n"
    )


def test_commands_refuse_what_would_lose_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keyring.json"
    assert main(["new-key", str(path)]) == 0
    (only,) = Keyring.load(path).shared.keys

    assert main(["remove-key", str(path), only]) == 2
    assert main(["rotate", str(path), "k9"]) == 2
    assert main(["rotate", str(path), "--tenant", "chogar"]) == 2
    path.chmod(0o644)
    assert main(["check", str(path)]) == 3

    assert capsys.readouterr().err.splitlines() == [
        f"KEY: {only!r} must be a key of {path} that is not current: none",
        f"KEY: 'k9' is not in {path}; known keys: {only}",
        f"--tenant: 'chogar' has no keys of its own in {path}; tenants with keys: none",
        f"{path}: mode 644 lets others read the keys; 600 would be right",
    ]


def test_new_keyring_goes_to_standard_output_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-key", "-"]) == 0

    assert len(Keyring.from_dict(json.loads(capsys.readouterr().out)).shared.keys) == 1


def keyring_file(folder: Path, values: dict[str, Any]) -> KeyringFile:
    folder.mkdir(exist_ok=True)
    path = folder / "keyring.json"
    path.write_text(json.dumps(values))
    return KeyringFile(path)
