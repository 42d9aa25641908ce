"""Payload encryption: where the keys come from, and the server that decrypts for the web interface.

The keyring itself never becomes part of the settings, so that no message, comparison or dump can show it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from infra.settings.base import Model, PairedReplicas
from infra.settings.temporal import Resources

SEALED: Literal["(secret)"] = "(secret)"
"""What the settings hold in place of a keyring."""
KEY_BYTES = 32
"""AES-256's, as `worker.encryption` uses it."""

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""As `worker.encryption.keyring` has it."""

_HOW = "encrypt it: `pulumi config set --secret routerfleet:payload_keys < keyring.json`"


def _sealed(value: object) -> object:
    # No message here may show the value: whoever put a keyring in plain text must not see it in a log as well.
    if value not in (None, SEALED):
        raise PydanticCustomError("routerfleet_keys", "{message}", {"message": f"is not encrypted; {_HOW}"})
    return value


PayloadKeys = Annotated[Literal["(secret)"] | None, BeforeValidator(_sealed)]
"""Whether the stack has a keyring of its own."""

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/*]+$")]
"""Scheme, host and port of a web page, as a browser sends it; no path, no wildcard."""


class CodecServer(Model):
    """The server that decrypts payloads for the web interface and the `temporal` command line."""

    is_enabled: bool = True
    """Whether it runs where payloads are encrypted. Default true; without it people see only ciphertext."""
    replicas: PairedReplicas = 2
    """Pods. At least 2; default 2."""
    resources: Resources = Resources(cpu_request="20m", memory_request="96Mi", memory_limit="512Mi")
    """Per pod. The limit leaves room for a history as long as the server allows (50 MB), several times over."""
    endpoint: Origin | None = None
    """Where people's browsers reach it. Default none: its Service inside the cluster, which has no address
    outside; set it where people come through a tunnel or a proxy that knows them."""
    origins: tuple[Origin, ...] = ()
    """Web interfaces whose pages may ask it, besides the bundle's own Service. Default none; with a tunnel to
    the interface, for example `http://localhost:8080`."""


def keyring_problems(text: str) -> list[str]:
    """Return what is wrong with a keyring, one line each, none of which shows a key.

    Args:
        text: JSON: `current`, `keys` by id, and the same again for single tenants below `tenants`.
    """
    try:
        ring: object = json.loads(text)
    except json.JSONDecodeError as error:
        return [f"payload_keys: is not JSON (line {error.lineno}, column {error.colno})"]
    if not isinstance(ring, dict):
        return ["payload_keys: must be an object with `current` and `keys`"]
    values = cast("dict[str, Any]", ring)
    found = _ring_problems("payload_keys", values, {"current", "keys", "tenants"})
    tenants: object = values.get("tenants", {})
    if not isinstance(tenants, dict):
        return [*found, "payload_keys.tenants: must be an object with a keyring by tenant"]
    for tenant, own in cast("dict[str, object]", tenants).items():
        where = f"payload_keys.tenants.{tenant}"
        if not isinstance(own, dict):
            found.append(f"{where}: must be an object with `current` and `keys`")
            continue
        brought = cast("dict[str, Any]", own)
        found += _ring_problems(where, brought, {"current", "keys"})
        if _ids(brought) & _ids(values):
            found.append(f"{where}.keys: an id is a shared key's too; choose another")
    return found


def _ring_problems(where: str, ring: Mapping[str, Any], known: set[str]) -> list[str]:
    # Ids are not shown either: in a keyring written the wrong way round they are the keys.
    found = [f"{where}: must hold only {', '.join(sorted(known))}"] if ring.keys() - known else []
    keys: object = ring.get("keys")
    if not isinstance(keys, dict) or not keys:
        return [*found, f"{where}.keys: must be an object with at least one key by its id"]
    listed = cast("dict[str, object]", keys)
    if ring.get("current") not in listed:
        found.append(f"{where}.current: must be the id of one of the keys")
    if not all(map(_KEY_ID.fullmatch, listed)):
        found.append(f"{where}.keys: ids must be letters, digits, `.`, `_` and `-`, at most 40")
    if wrong := sum(not _is_key(value) for value in listed.values()):
        found.append(f"{where}.keys: {wrong} of {len(listed)} must be {KEY_BYTES} bytes in base64")
    return found


def _ids(ring: Mapping[str, Any]) -> set[str]:
    keys: object = ring.get("keys")
    return set(cast("dict[str, object]", keys)) if isinstance(keys, dict) else set()


def _is_key(value: object) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
