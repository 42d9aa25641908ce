"""The folders of the routers' state, and the lock that one command holds."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.routers.layout import PROVIDER, Router, customers


class State:
    """Paths of the routers' state; makes nothing by itself."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or paths.state_dir() / "routers"
        self.key = self.root / "login"
        """The private key that opens every customer's router; beside it `login.pub`."""
        self.inventory = self.root / "inventory.json"
        self.credentials = self.root / "credentials"
        self._fleet = self.root / "fleet.json"

    def folder(self, of: Router) -> Path:
        """Return the state folder of a router."""
        return self.root / "machines" / of.name

    def folders(self) -> list[Path]:
        """Return the state folders that there are, wanted or not."""
        machines = self.root / "machines"
        return sorted(machines.iterdir()) if machines.is_dir() else []

    def remember(self, count: int) -> None:
        """Note how many customers' routers there shall be."""
        self._fleet.write_text(json.dumps({"count": count}))

    def wanted(self) -> tuple[Router, ...]:
        """Return the routers that shall be there, the provider's first; none when there are no routers."""
        try:
            return (PROVIDER, *customers(json.loads(self._fleet.read_text())["count"]))
        except (FileNotFoundError, json.JSONDecodeError):
            return ()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the routers for one command that changes them.

        Raises:
            LabError: Another command holds them.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with (self.root.parent / "routers.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError("another command is at work on the routers: wait for it to end") from None
            yield
