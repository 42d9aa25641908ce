"""The keys: which there are, which one encrypts, and what a tenant's own is. Pure but for `KeyringFile`.

The file is one JSON object, `{"current": "k2", "keys": {"k1": "<base64 of 32 bytes>", "k2": ...}}`. A tenant's
key is derived from these, so that adding a tenant adds no secret; a tenant who brings keys has an object of the
same form under `tenants`. Rotation in an order that loses nothing: add the key everywhere, then make it
current everywhere, then, when no deployment older than that is open or retained, take the old one away.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.errors import UsageError

KEY_BYTES = 32
"""AES-256."""
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LOOK_SECONDS = 1.0
"""How stale the keyring may be. A second is nothing against the time between adding a key everywhere and
making it current, and saves a look at the file system for each payload."""

_LOGGER = logging.getLogger(__name__)


class KeyUnknownError(Exception):
    """The keyring has no key of that id; the message names it."""


@dataclass(frozen=True)
class KeySet:
    """Some keys, one of which encrypts."""

    current: str
    """Id of the key that encrypts; every key decrypts."""
    keys: Mapping[str, bytes] = field(repr=False)
    """32 bytes by id."""


@dataclass(frozen=True)
class Keyring:
    """All keys of a process."""

    shared: KeySet
    """From which the key of every tenant without keys of its own derives."""
    tenants: Mapping[str, KeySet] = field(default_factory=dict[str, KeySet])
    """Keys that tenants brought; no id is both here and in `shared`, so that older payloads stay readable."""
    _ciphers: dict[tuple[str, str], AESGCM] = field(
        default_factory=dict[tuple[str, str], AESGCM], init=False, repr=False, compare=False
    )

    def current(self, tenant: str) -> str:
        """Return the id of the key that encrypts the tenant's payloads."""
        return self.tenants.get(tenant, self.shared).current

    def cipher(self, tenant: str, key_id: str) -> AESGCM:
        """Return the tenant's cipher.

        The key is HKDF-SHA256 (RFC 5869) of the listed one, with the tenant in `info`: whoever learns one
        tenant's key learns nothing of another's.

        Raises:
            KeyUnknownError: When no key of that id is listed for the tenant.
        """
        known = self._ciphers.get((tenant, key_id))
        if known is not None:
            return known
        own = self.tenants.get(tenant)
        master = (own.keys.get(key_id) if own else None) or self.shared.keys.get(key_id)
        if master is None:
            raise KeyUnknownError(f"key {tenant}/{key_id} is not in the keyring")
        info = f"routerfleet/payload/{tenant}".encode()
        cipher = AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(master))
        self._ciphers[tenant, key_id] = cipher
        return cipher

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, the keys among them: for the file and for nothing else."""
        values = _plain(self.shared)
        if self.tenants:
            values["tenants"] = {name: _plain(keys) for name, keys in self.tenants.items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Keyring:
        """Build the keyring from plain values.

        Raises:
            UsageError: On a missing or unknown key or a value that cannot be used; no message holds key material.
        """
        _refuse_unknown("keyring", values, ("current", "keys", "tenants"))
        shared = _key_set("", values)
        tenants: dict[str, KeySet] = {}
        for name, item in _object("tenants", values.get("tenants", {})).items():
            where = f"tenants.{name}."
            keys = _object(where.rstrip("."), item)
            _refuse_unknown(where.rstrip("."), keys, ("current", "keys"))
            tenants[name] = _key_set(where, keys)
            for key_id in sorted(tenants[name].keys.keys() & shared.keys.keys()):
                raise UsageError(f"{where}keys: id {key_id!r} is a shared key's too; choose another id")
        return cls(shared, tenants)

    @classmethod
    def load(cls, path: Path) -> Keyring:
        """Read the file.

        Raises:
            UsageError: When it cannot be read or used; one line that starts with the path.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
        except ValueError:
            # What JSON or UTF-8 complains about may be a key: say no more than that.
            raise UsageError(f"{path}: keyring is not JSON") from None
        try:
            return cls.from_dict(_object("keyring", values))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error


class KeyringFile:
    """The keyring of a file, followed as it changes, so that a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            UsageError: As `Keyring.load`.
        """
        self._path = path
        self._state = _state(path)
        self._keyring = Keyring.load(path)
        self._looked = time.monotonic()

    def keyring(self, *, is_stale: bool = False) -> Keyring:
        """Return the keys, at most a second old; those before, while the file cannot be used.

        Args:
            is_stale: The caller has just met a key that is not in the keyring: look at the file now.
        """
        now = time.monotonic()
        if is_stale or now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            state = _state(self._path)
            if state != self._state:
                self._state = state
                self._reload()
        return self._keyring

    def _reload(self) -> None:
        try:
            self._keyring = Keyring.load(self._path)
        except UsageError as error:
            _LOGGER.error("keeping the keys as they were: %s", error)  # noqa: TRY400 - expected, one line
            return
        _LOGGER.info(
            "keyring read again: %d keys, current %s",
            len(self._keyring.shared.keys),
            self._keyring.shared.current,
        )


def _state(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file does; Kubernetes swaps a link, which changes the inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _key_set(where: str, values: Mapping[str, Any]) -> KeySet:
    keys = {
        _checked_id(f"{where}keys", key_id): _key(f"{where}keys.{key_id}", value)
        for key_id, value in _object(f"{where}keys", values.get("keys")).items()
    }
    current = values.get("current")
    if not isinstance(current, str) or current not in keys:
        known = ", ".join(keys) or "none"
        raise UsageError(f"{where}current: {current!r} must be the id of one of the keys: {known}")
    return KeySet(current, keys)


def _checked_id(where: str, key_id: str) -> str:
    if not _KEY_ID.fullmatch(key_id):
        raise UsageError(f"{where}: id {key_id!r} must be letters, digits, `.`, `_` and `-`, at most 40")
    return key_id


def _key(where: str, value: object) -> bytes:
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"{where}: must be {KEY_BYTES} bytes in base64 (python -m worker.encryption new-key)"
        )
    return key


def _object(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: must be a JSON object")
    return cast("dict[str, Any]", value)


def _refuse_unknown(where: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in values:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}; known keys: {', '.join(known)}")


def _plain(keys: KeySet) -> dict[str, Any]:
    encoded = {key_id: base64.b64encode(key).decode() for key_id, key in keys.keys.items()}
    return {"current": keys.current, "keys": encoded}
