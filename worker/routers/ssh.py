"""One command on one router over SSH. A host that cannot prove who it is gets neither login nor command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.errors import CredentialsMissingError, CredentialsRefusedError, RouterUnreachableError
from worker.routers.credentials import Credentials
from worker.routers.inventory import RouterRecord

if TYPE_CHECKING:
    import asyncssh

    _KnownHosts = asyncssh.SSHKnownHosts | tuple[list[asyncssh.SSHKey], list[str], list[str]]

HOST_KEY = "host_key"
"""Option of a router's record: its public host key, `ssh-ed25519 AAAA...`."""

_PORT = 22
_CONNECT_SECONDS = 5.0
"""Connecting to a live host takes milliseconds; five seconds mean that it is gone."""
_LOGIN_SECONDS = 15.0
_COMMAND_SECONDS = 45.0
"""Ends before the activity's own limit of 60 s, so that the reason is known."""


async def run(router: RouterRecord, credentials: Credentials, command: str, text: str) -> str:
    """Run a command with text on its standard input, and return what it prints.

    A connection of its own each time: a step is seconds apart from the next, and perhaps on another worker.

    Raises:
        CredentialsMissingError: When no host key is known for the router.
        CredentialsRefusedError: When the login or the host key is not the right one, or unreadable.
        RouterUnreachableError: When it does not answer, or the connection ends before the command.
    """
    import asyncssh

    try:
        done = await asyncio.wait_for(_run(router, credentials, command, text), _COMMAND_SECONDS)
    except asyncssh.HostKeyNotVerifiable as error:
        raise CredentialsRefusedError(
            router.name, "shows another host key than the one known; it may be another machine"
        ) from error
    except asyncssh.PermissionDenied as error:
        raise CredentialsRefusedError(router.name, f"refuses user {credentials.username!r}") from error
    except asyncssh.KeyImportError as error:
        raise CredentialsRefusedError(router.name, "the private key cannot be read as OpenSSH's") from error
    except (OSError, asyncssh.Error) as error:
        raise RouterUnreachableError(
            router.name, f"no answer from {router.host}: {error or type(error).__name__}"
        ) from error
    if done.returncode:
        raise RouterUnreachableError(router.name, f"{command} ended with {done.returncode}: {_last(done)}")
    return str(done.stdout or "")


async def _run(
    router: RouterRecord, credentials: Credentials, command: str, text: str
) -> asyncssh.SSHCompletedProcess:
    connection = await _connect(router, credentials)
    try:
        return await connection.run(command, input=text, errors="replace")
    finally:
        connection.abort()


async def _connect(router: RouterRecord, credentials: Credentials) -> asyncssh.SSHClientConnection:
    import asyncssh

    if not router.host:
        raise RouterUnreachableError(router.name, "the inventory has no host for it")
    keys = [asyncssh.import_private_key(credentials.private_key)] if credentials.private_key else []
    return await asyncssh.connect(
        router.host,
        router.port or _PORT,
        username=credentials.username,
        password=credentials.password or None,
        client_keys=keys or None,
        known_hosts=_known_hosts(router, credentials),
        # Nothing of whoever runs the worker: no agent, no configuration, no other keys.
        agent_path=None,
        config=None,
        gss_host=None,
        connect_timeout=_CONNECT_SECONDS,
        login_timeout=_LOGIN_SECONDS,
        keepalive_interval=5,
    )


def _known_hosts(router: RouterRecord, credentials: Credentials) -> _KnownHosts:
    """Return what the router's host key must be; there is no way to have none."""
    import asyncssh

    if key := router.options.get(HOST_KEY):
        try:
            return ([asyncssh.import_public_key(key)], [], [])
        except asyncssh.KeyImportError as error:
            raise CredentialsMissingError(
                router.name,
                f"options.{HOST_KEY}: {key!r} must be a public key, for example ssh-ed25519 AAAA...",
            ) from error
    if credentials.known_hosts:
        return asyncssh.import_known_hosts(credentials.known_hosts)
    raise CredentialsMissingError(
        router.name,
        f"no host key is known: set options.{HOST_KEY} in the inventory or known_hosts beside the login",
    )


def _last(done: asyncssh.SSHCompletedProcess) -> str:
    lines = [line for line in str(done.stderr or done.stdout or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
