"""The errors of NAPALM and the libraries below it, as ours."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import jnpr.junos.exception
import napalm.base.exceptions
import napalm.nxapi_plumbing.errors
import netmiko.exceptions
import paramiko
import pyeapi.eapilib
import pytest

from worker.errors import (
    ChangeRefusedError,
    CredentialsRefusedError,
    DriverMisusedError,
    RouterError,
    RouterUnreachableError,
)
from worker.routers.napalm_errors import to_router_error


def caused(outer: Exception, inner: Exception) -> Exception:
    """Return an exception raised while another was being handled."""
    outer.__context__ = inner
    return outer


_HOST_KEY = paramiko.BadHostKeyException("r1", paramiko.RSAKey.generate(1024), paramiko.RSAKey.generate(1024))
_BASE = napalm.base.exceptions
_DEVICE = SimpleNamespace(hostname="r1")


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (
            netmiko.exceptions.NetmikoAuthenticationException("x"),
            CredentialsRefusedError,
            "refuses user 'me'",
        ),
        (jnpr.junos.exception.ConnectAuthError(_DEVICE), CredentialsRefusedError, "refuses user 'me'"),
        (
            caused(_BASE.ConnectionException("x"), napalm.nxapi_plumbing.errors.NXAPIAuthError("x")),
            CredentialsRefusedError,
            "refuses user 'me'",
        ),
        (
            pyeapi.eapilib.ConnectionError("https", "Unauthorized. Unable to authenticate user: x"),
            CredentialsRefusedError,
            "refuses user 'me'",
        ),
        (
            caused(netmiko.exceptions.NetmikoTimeoutException("x"), _HOST_KEY),
            CredentialsRefusedError,
            "shows another host key than the one known; it may be another machine",
        ),
        (
            _BASE.ConnectionException("Cannot connect to r1"),
            RouterUnreachableError,
            "no answer: ConnectionException",
        ),
        (netmiko.exceptions.ReadTimeout("x"), RouterUnreachableError, "no answer: ReadTimeout"),
        (
            jnpr.junos.exception.ConnectTimeoutError(_DEVICE),
            RouterUnreachableError,
            "no answer: ConnectTimeoutError",
        ),
        (pyeapi.eapilib.ConnectionError("https", "x"), RouterUnreachableError, "no answer: ConnectionError"),
        (socket.gaierror("x"), RouterUnreachableError, "no answer: gaierror"),
        (_BASE.LockError("x"), RouterUnreachableError, "another session holds its configuration"),
        (_BASE.UnsupportedVersion("x"), ChangeRefusedError, "runs a version that NAPALM does not support"),
        (_BASE.MergeConfigException("secret x"), ChangeRefusedError, "MergeConfigException"),
        (
            _BASE.CommitConfirmException("For Cisco devices, revert_in requires 'archive' feature"),
            ChangeRefusedError,
            (
                "CommitConfirmException: `archive` must be configured on the router, "
                "so that it can undo a change by itself"
            ),
        ),
        (pyeapi.eapilib.CommandError(1000, "x"), ChangeRefusedError, "CommandError"),
        (KeyError("secret"), DriverMisusedError, "NAPALM failed with KeyError in no place"),
    ],
)
def test_errors_of_the_libraries(raised: Exception, error: type[RouterError], message: str) -> None:
    found = to_router_error("r1", "me", raised)

    assert (type(found), str(found)) == (error, f"r1: {message}")
