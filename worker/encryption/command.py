"""The keyring's command line. Prints ids, never keys, save for `new-key -`, which is for a secret store.

Exit codes: 0 done, 2 bad input, 3 `check` found something to mend.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from worker.encryption.keyring import KEY_BYTES, Keyring, KeySet
from worker.errors import UsageError

EXIT_OK, EXIT_USAGE, EXIT_DIFFERS = 0, 2, 3
_STANDARD_OUTPUT = "-"
_PRIVATE = 0o600


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "new-key":
                return new_key(options.file, options.tenant)
            case "rotate":
                return rotate(options.file, options.key, options.tenant)
            case "remove-key":
                return remove_key(options.file, options.key, options.tenant)
            case _:
                return check(options.file)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE


def new_key(file: str, tenant: str | None = None) -> int:
    """Add a key, which becomes current only when it is the first."""
    path = Path(file)
    key_id = f"k{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}"
    key = {key_id: secrets.token_bytes(KEY_BYTES)}
    if file == _STANDARD_OUTPUT:
        sys.stdout.write(_text(Keyring(KeySet(key_id, key))))
        return EXIT_OK
    if not path.exists():
        if tenant:
            raise UsageError(f"{path}: does not exist; make the shared key first, without --tenant")
        _write(path, Keyring(KeySet(key_id, key)))
        sys.stdout.write(f"{path}: new, with key {key_id}\n")
        return EXIT_OK
    keyring = Keyring.load(path)
    keys = _keys(keyring, tenant)
    added = KeySet(keys.current, {**keys.keys, **key}) if keys else KeySet(key_id, key)
    _write(path, _with(keyring, tenant, added))
    if keys:
        following = "; when every worker, client and codec server has this file: rotate"
    else:
        # A tenant's first key encrypts as soon as somebody reads the file.
        following = f", the first of tenant {tenant} and current: hand the file to those who only read first"
    sys.stdout.write(f"{path}: added key {key_id}{following}\n")
    return EXIT_OK


def rotate(file: str, key_id: str | None = None, tenant: str | None = None) -> int:
    """Make a key current: the one given, or the one added last."""
    path = Path(file)
    keyring = Keyring.load(path)
    keys = _existing(path, keyring, tenant)
    chosen = key_id or list(keys.keys)[-1]
    if chosen not in keys.keys:
        raise UsageError(f"KEY: {chosen!r} is not in {path}; known keys: {', '.join(keys.keys)}")
    _write(path, _with(keyring, tenant, replace(keys, current=chosen)))
    sys.stdout.write(f"{path}: current key is {chosen}, was {keys.current}\n")
    return EXIT_OK


def remove_key(file: str, key_id: str, tenant: str | None = None) -> int:
    """Take away a key: what it encrypted can then be read by nobody."""
    path = Path(file)
    keyring = Keyring.load(path)
    keys = _existing(path, keyring, tenant)
    if key_id not in keys.keys or key_id == keys.current:
        known = ", ".join(name for name in keys.keys if name != keys.current) or "none"
        raise UsageError(f"KEY: {key_id!r} must be a key of {path} that is not current: {known}")
    left = {name: key for name, key in keys.keys.items() if name != key_id}
    _write(path, _with(keyring, tenant, KeySet(keys.current, left)))
    sys.stdout.write(f"{path}: removed key {key_id}; left: {', '.join(left)}\n")
    return EXIT_OK


def check(file: str) -> int:
    """Say which keys there are, and whether others may read them."""
    path = Path(file)
    keyring = Keyring.load(path)
    for name, keys in {"shared": keyring.shared, **keyring.tenants}.items():
        listed = (f"{key_id} (current)" if key_id == keys.current else key_id for key_id in keys.keys)
        sys.stdout.write(f"{name}: {', '.join(listed)}\n")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        sys.stderr.write(f"{path}: mode {mode:o} lets others read the keys; 600 would be right\n")
        return EXIT_DIFFERS
    return EXIT_OK


def _keys(keyring: Keyring, tenant: str | None) -> KeySet | None:
    return keyring.tenants.get(tenant) if tenant else keyring.shared


def _existing(path: Path, keyring: Keyring, tenant: str | None) -> KeySet:
    keys = _keys(keyring, tenant)
    if keys is None:
        known = ", ".join(keyring.tenants) or "none"
        raise UsageError(f"--tenant: {tenant!r} has no keys of its own in {path}; tenants with keys: {known}")
    return keys


def _with(keyring: Keyring, tenant: str | None, keys: KeySet) -> Keyring:
    if tenant:
        return Keyring(keyring.shared, {**keyring.tenants, tenant: keys})
    return Keyring(keys, keyring.tenants)


def _text(keyring: Keyring) -> str:
    return json.dumps(keyring.to_dict(), indent=2) + "\n"


def _write(path: Path, keyring: Keyring) -> None:
    """Replace the file in one step, never readable by others; a reader sees the old keys or the new.

    Raises:
        UsageError: When the folder cannot be written to.
    """
    try:
        with NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
        ) as temporary:
            os.fchmod(temporary.fileno(), _PRIVATE)
            temporary.write(_text(keyring))
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker.encryption",
        description="Make, rotate and check the keyring with which tenants' payloads are encrypted.",
        epilog="Exit codes: 0 done, 2 bad input, 3 check found something to mend.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("file", metavar="FILE", help="the keyring (ROUTERFLEET_KEYRING_FILE)")
    owned = argparse.ArgumentParser(add_help=False, parents=[common])
    owned.add_argument("--tenant", help="a tenant's own keys; default: the shared ones")
    commands.add_parser(
        "new-key", parents=[owned], help="add a key; FILE - prints a new keyring, for a secret store"
    )
    rotating = commands.add_parser("rotate", parents=[owned], help="make a key current")
    rotating.add_argument("key", metavar="KEY", nargs="?", help="default: the one added last")
    removing = commands.add_parser("remove-key", parents=[owned], help="take a key away")
    removing.add_argument("key", metavar="KEY")
    commands.add_parser("check", parents=[common], help="list the ids and look at the file's mode")
    return parser
