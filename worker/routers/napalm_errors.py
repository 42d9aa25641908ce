"""What the libraries below NAPALM raise, as errors of this package.

Told by the names of the exceptions' classes along the chain, so that none of those libraries need be loaded.
The message of such an exception is never passed on but for a line that starts with `%`: it may quote
configuration, and with it secrets. For the same reason the errors made here have no cause.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

from worker.errors import (
    ChangeRefusedError,
    CredentialsRefusedError,
    DriverMisusedError,
    RouterError,
    RouterUnreachableError,
)

_OTHER_HOST = frozenset({"BadHostKeyException", "SSHUnknownHostError"})
_LOGIN = frozenset(
    {
        "AuthenticationException",
        "AuthenticationError",
        "ConnectAuthError",
        "NXAPIAuthError",
        "PasswordRequiredException",
    }
)
_BUSY = frozenset({"LockError", "SessionLockedException"})
_TOO_OLD = frozenset({"UnsupportedVersion"})
_AWAY = frozenset(
    {
        *("ConnectionException", "ConnectError", "NXAPIConnectionError", "NetmikoTimeoutException"),
        *("ReadTimeout", "ReadException", "WriteException", "CommandTimeoutException", "RpcTimeoutError"),
        *("SSHException", "SSHError", "ConnectionError", "TimeoutError", "EOFError", "gaierror"),
    }
)
_REFUSED = frozenset(
    {
        *("ReplaceConfigException", "MergeConfigException", "CommitError", "CommitConfirmException"),
        *("CommandErrorException", "CommandError", "ConfigInvalidException", "ConfigLoadError", "RpcError"),
        *("NXAPICommandError", "InvalidInputError", "XMLCLIError", "UnlockError"),
    }
)


def to_router_error(router: str, username: str, error: Exception) -> RouterError:
    """Return the error as this package's. One that is known to nobody is a bug on our side."""
    chain = tuple(_chain(error))
    names = {cls.__name__ for link in chain for cls in type(link).__mro__}
    if names & _OTHER_HOST or any("not found in known_hosts" in str(link) for link in chain):
        reason = "shows another host key than the one known; it may be another machine"
        return CredentialsRefusedError(router, reason)
    if names & _LOGIN or any(_is_unauthorized(link) for link in chain):
        return CredentialsRefusedError(router, f"refuses user {username!r}")
    if names & _BUSY:
        return RouterUnreachableError(router, "another session holds its configuration")
    if names & _TOO_OLD:
        return ChangeRefusedError(router, "runs a version that NAPALM does not support")
    if names & _AWAY:
        return RouterUnreachableError(router, f"no answer: {type(error).__name__}")
    if names & _REFUSED:
        return ChangeRefusedError(router, f"{type(error).__name__}{_said(error)}")
    return DriverMisusedError(router, f"NAPALM failed with {type(error).__name__} in {_place(error)}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_unauthorized(error: BaseException) -> bool:
    """Whether it is Arista's eAPI saying no; its client has one exception for all that can go wrong."""
    return type(error).__module__.startswith("pyeapi") and "nauthorized" in str(error)


def _place(error: Exception) -> str:
    """Return where it was raised: all that can be said of a bug without quoting the router."""
    frames = traceback.extract_tb(error.__traceback__)
    return (
        f"{frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no place"
    )


def _said(error: Exception) -> str:
    if "archive" in str(error):
        return ": `archive` must be configured on the router, so that it can undo a change by itself"
    lines = (line.strip() for line in str(error).splitlines())
    return next((f": {line}" for line in lines if line.startswith("%")), "")
