"""Opens connections to routers through NAPALM: which library, which options, which proof of identity.

NAPALM and what it loads take a second and some 47 MB, so they are imported with the first connection.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from worker.errors import ChangeRefusedError, CredentialsMissingError
from worker.routers.credentials import Credentials
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_protocol import Library, NetworkDriver
from worker.routers.ssh import HOST_KEY

_CONNECT_SECONDS = 5
"""Connecting to a live host takes milliseconds; five seconds mean that it is gone."""
_ANSWER_SECONDS = 40
"""How long one command may take: replacing a large configuration takes a router tens of seconds."""


@dataclass(frozen=True)
class Platform:
    """What NAPALM can do for a platform."""

    library: str
    """Its name there."""
    revert_step_seconds: int
    """Grain of the time after which the router undoes an unconfirmed change; 0: NAPALM cannot have it do so."""
    transport: str = "ssh"
    """Default; `options.transport` of a router's record chooses between `ssh` and `https` where both exist."""


PLATFORMS: Mapping[str, Platform] = {
    "ios": Platform("ios", 60),
    "iosxr": Platform("iosxr", 0),
    "nxos": Platform("nxos", 0, "https"),
    "eos": Platform("eos", 1, "https"),
    "junos": Platform("junos", 60),
}


def device(
    router: RouterRecord, credentials: Credentials, folder: Path, library: Library | None = None
) -> NetworkDriver:
    """Return NAPALM's driver of the router, not yet connected.

    Args:
        router: Its options go to NAPALM, but for those that are about who the router is.
        credentials: Login and known host keys.
        folder: Where what the libraries want as files may lie as long as the connection lasts.
        library: Stands in for NAPALM.

    Raises:
        ChangeRefusedError: When the record names a transport that there is not.
        CredentialsMissingError: When no host key is known, or HTTPS has no password.
    """
    platform = PLATFORMS[router.platform]
    transport = transport_of(router)
    allowed = {"ssh", platform.transport}
    if transport not in allowed:
        known = " or ".join(sorted(allowed))
        raise ChangeRefusedError(router.name, f"options.transport: {transport!r} must be {known}")
    options = {key: _typed(value) for key, value in router.options.items() if key != HOST_KEY}
    if router.port:
        options["port"] = router.port
    options |= _https(router, credentials) if transport == "https" else _ssh(router, credentials, folder)
    if router.platform == "eos":
        # NAPALM takes any open session for a lock, and that of a worker that died stays open for ever.
        options["lock_disable"] = True
    name = "nxos_ssh" if (router.platform, transport) == ("nxos", "ssh") else platform.library
    arguments = {
        "hostname": router.host,
        "username": credentials.username,
        "password": credentials.password or None,
        "timeout": _ANSWER_SECONDS,
    }
    driver = (library or _napalm())(name)(**arguments, optional_args=options)
    if router.platform == "junos":
        _verify_junos(driver, options, arguments, folder)
    return driver


def transport_of(router: RouterRecord) -> str:
    """Return over what the router is managed: `ssh` or `https`."""
    return router.options.get("transport", PLATFORMS[router.platform].transport)


def _napalm() -> Library:
    from napalm import get_network_driver  # pyright: ignore[reportUnknownVariableType]

    # They log what they send and receive, passwords in configurations included; what matters is raised.
    for name in ("napalm", "netmiko", "paramiko", "ncclient", "jnpr", "pyeapi"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return cast("Library", get_network_driver)


def _typed(value: str) -> str | int | bool:
    """Return an option of the inventory, which are all texts, as what NAPALM expects."""
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if value.isdecimal() else value


def _https(router: RouterRecord, credentials: Credentials) -> dict[str, Any]:
    if not credentials.password:
        raise CredentialsMissingError(router.name, "its interface over HTTPS needs a password")
    if router.platform == "nxos":
        return {"transport": "https", "ssl_verify": True}
    return {"transport": "https", "enforce_verification": True, "context": ssl.create_default_context()}


def _ssh(router: RouterRecord, credentials: Credentials, folder: Path) -> dict[str, Any]:
    """Return netmiko's options: only this host key, and nothing of whoever runs the worker."""
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(_known_hosts(router, credentials), encoding="utf-8")
    options: dict[str, Any] = {
        "transport": "ssh",
        "ssh_strict": True,
        "system_host_keys": False,
        "alt_host_keys": True,
        "alt_key_file": str(known_hosts),
        "allow_agent": False,
        "use_keys": False,
        "conn_timeout": _CONNECT_SECONDS,
        "read_timeout_override": _ANSWER_SECONDS,
    }
    if credentials.private_key:
        key = folder / "private_key"
        key.touch(mode=0o600)
        key.write_text(credentials.private_key + "\n", encoding="utf-8")
        options["key_file"] = str(key)
    return options


def _known_hosts(router: RouterRecord, credentials: Credentials) -> str:
    """Return the host keys that are accepted, in OpenSSH's format; there is no way to have none."""
    if key := router.options.get(HOST_KEY):
        port = router.port or 22
        return f"{router.host if port == 22 else f'[{router.host}]:{port}'} {key}\n"
    if credentials.known_hosts:
        return credentials.known_hosts + "\n"
    raise CredentialsMissingError(
        router.name,
        f"no host key is known: set options.{HOST_KEY} in the inventory or known_hosts beside the login",
    )


def _verify_junos(
    driver: NetworkDriver, options: Mapping[str, Any], arguments: Mapping[str, Any], folder: Path
) -> None:
    """Have Juniper's library check the host key, which NAPALM does not ask it to."""
    from jnpr.junos import Device  # pyright: ignore[reportMissingTypeStubs]

    config = folder / "ssh_config"
    config.write_text(f"Host *\n  UserKnownHostsFile {options['alt_key_file']}\n", encoding="utf-8")
    junos = cast("Any", driver)
    junos.device = Device(
        arguments["hostname"],
        user=arguments["username"],
        password=arguments["password"],
        port=options.get("port", 22),
        ssh_private_key_file=options.get("key_file"),
        ssh_config=str(config),
        hostkey_verify=True,
        allow_agent=False,
        look_for_keys=False,
        conn_open_timeout=_CONNECT_SECONDS,
    )
