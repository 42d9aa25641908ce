"""The folders of one lab and who owns it: which checkout started it, and what runs of it now."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import paths
from lab.cluster import machine
from lab.cluster.layout import CONTROL, NODES, Machine
from lab.errors import LabError


class State:
    """Paths of the lab's state; makes nothing by itself."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or paths.state_dir() / "lab"
        self.pki = self.root / "pki"
        self.pulumi = self.root / "pulumi"
        self.kubeconfig = self.root / "kubeconfig"
        self.guests = self.root / "guests"

    def folder(self, of: Machine) -> Path:
        """Return the state folder of a machine."""
        return self.root / "machines" / of.name

    def guest(self, name: str) -> Path:
        """Return the state folder of a guest process on the outside machine."""
        return self.guests / name

    def running(self) -> list[str]:
        """Return the names of everything of the lab that is alive: machines and guests."""
        folders = [self.folder(m) for m in (CONTROL, *NODES)]
        if self.guests.is_dir():
            folders += sorted(self.guests.iterdir())
        return [folder.name for folder in folders if machine.is_running(folder)]

    def claim(self) -> None:
        """Make this checkout the lab's owner.

        Raises:
            LabError: The lab is alive and belongs to another checkout.
        """
        mine = str(paths.checkout_dir())
        owner = self.owner()
        if owner and owner != mine and self.running():
            raise LabError(
                f"the lab in {self.root} is running for the checkout {owner}: "
                "run `make down` there first, or set ROUTERFLEET_STATE to another folder on another machine"
            )
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.root / "owner.json").write_text(json.dumps({"checkout": mine}))

    def owner(self) -> str | None:
        """Return the checkout that started the lab, None if there is no lab."""
        try:
            return json.loads((self.root / "owner.json").read_text())["checkout"]
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def check_up(self) -> None:
        """Refuse what needs a lab where there is none.

        Raises:
            LabError: The control machine does not run.
        """
        if not machine.is_running(self.folder(CONTROL)):
            raise LabError("the lab is not up: run `make up`")

    @contextmanager
    def lock(self, *, is_waiting: bool = False) -> Iterator[None]:
        """Hold the lab for one command that changes it.

        Args:
            is_waiting: Wait for another command to end, rather than refuse.

        Raises:
            LabError: Another command holds it.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with (self.root.parent / "lab.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
            except BlockingIOError:
                raise LabError("another lab command is at work on this machine: wait for it to end") from None
            yield
