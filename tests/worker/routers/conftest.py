"""A router on an SSH server, and a login for it."""

from __future__ import annotations

import threading
import time
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fakenos.core import servers
from fakenos.plugins.servers import ssh_server_paramiko

from tests.worker.routers import eos_device
from tests.worker.routers.eos_device import EosDevice
from worker.routers.credentials import CredentialStore
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_driver import NapalmDriver


@pytest.fixture
def credentials(tmp_path: Path) -> CredentialStore:
    """The login that the device takes."""
    folder = tmp_path / "credentials" / "default"
    folder.mkdir(parents=True)
    (folder / "username").write_text(eos_device.USERNAME)
    (folder / "password").write_text(eos_device.PASSWORD)
    return CredentialStore(tmp_path / "credentials")


@pytest.fixture
def driver(credentials: CredentialStore) -> Iterator[NapalmDriver]:
    """A driver with nothing to remember."""
    driver = NapalmDriver(credentials)
    yield driver
    driver.close()


@pytest.fixture
def device() -> EosDevice:
    """A router with a configuration, an address and a route."""
    return EosDevice(running=BEFORE, peers={"192.0.2.2": "Established"}, routes={"198.51.100.0/24"})


BEFORE = ("hostname old", "interface Ethernet1", "   ip address 192.0.2.1/24")


@pytest.fixture
def eos(device: EosDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[RouterRecord]:
    """The router's record, while it answers.

    FakeNOS echoes 100 characters a second, here 20 times that. And it waits without end for a command of a
    client whose login it has refused, in a thread that would keep the tests from ending.
    """
    pace = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 20), monotonic=time.monotonic)
    monkeypatch.setattr(ssh_server_paramiko, "time", pace)
    daemons = types.SimpleNamespace(Thread=partial(threading.Thread, daemon=True), Event=threading.Event)
    monkeypatch.setattr(servers, "threading", daemons)
    with eos_device.running(device) as record:
        yield record
