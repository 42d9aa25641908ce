"""Long-lived processes on the machine outside the zones: what the lab's users put beyond its failures.

The lab does not know what they are. Each runs in a process tree of its own that restarts it when it ends,
and comes back with `up`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lab.cluster import machine, network
from lab.cluster.layout import OUTSIDE
from lab.cluster.machine import Boot, Service
from lab.cluster.state import State
from lab.errors import LabError

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def start(state: State, name: str, command: Sequence[str]) -> Path:
    """Start a guest in a data folder of its own, or replace it if it runs with another command.

    Returns:
        Its log file.

    Raises:
        LabError: The name is no DNS label, or the command is not there.
    """
    if not NAME.fullmatch(name):
        raise LabError(f"guest: {name!r} is not a name of lower-case letters, digits and dashes")
    network.attach(OUTSIDE)
    folder = state.guest(name)
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    # `env` in front: a command that is not there is a failed guest with a log, not a failed machine. With an
    # environment of its own the guest is the same whoever starts it, and starting it again changes nothing.
    service = Service(name, ["env", "--ignore-environment", f"--chdir={data}", PATH, *command])
    machine.start(name, OUTSIDE, Boot(OUTSIDE.name, str(folder / "logs"), [service]), folder)
    return folder / "logs" / f"{name}.log"


def start_all(state: State) -> None:
    """Start again every guest that was started once and not stopped."""
    for folder in _folders(state):
        machine.restart(folder, OUTSIDE)


def stop(state: State, name: str) -> None:
    """Stop a guest and forget it; its state folder goes with the lab."""
    machine.kill(state.guest(name))
    (state.guest(name) / machine.BOOT_FILE).unlink(missing_ok=True)


def stop_all(state: State) -> None:
    """Stop every guest."""
    for folder in _folders(state):
        machine.kill(folder)


def _folders(state: State) -> list[Path]:
    return sorted(f for f in state.guests.iterdir() if f.is_dir()) if state.guests.is_dir() else []
