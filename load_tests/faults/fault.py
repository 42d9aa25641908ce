"""What every fault is: an async context manager that proves it took effect, and heals.

    async with ZoneSilent(target, journal, zone="zone-c") as effect:
        ...  # in effect since effect.at

On entering: permission is asked for, what undoes the fault is written to the journal, the fault is brought about
and proven. On leaving, however that comes: it is undone. A fault that cannot be proven is undone and raises; a
drill whose fault raises is INVALID, not failed.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from load_tests.errors import LoadTestError
from load_tests.faults import commands
from load_tests.faults.journal import Journal, Undo
from load_tests.faults.target import Target

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Effect:
    """A fault that took effect.

    Attributes:
        at: When, in seconds since the Unix epoch: the end of the step that brought it about.
        proof: What showed it, for people.
        could_not: What the fault means but this cluster does not offer, for people; empty on the lab.
    """

    at: float
    proof: str
    could_not: Sequence[str] = ()


class Fault(ABC):
    """One fault of one target; used once."""

    name: ClassVar[str]
    """What drills call it."""

    def __init__(self, target: Target, journal: Journal) -> None:
        self._target = target
        self._journal = journal
        self._entry: str | None = None

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words what goes wrong, and of what."""

    @abstractmethod
    def _prepare(self) -> Undo:
        """Find what is to be hit; return the commands that undo the fault. Touches nothing."""

    @abstractmethod
    async def _inject(self) -> Effect:
        """Bring the fault about and return once it is proven."""

    async def until_over(self) -> None:
        """Wait for the end of a fault that ends by itself, such as a rolling restart; others are over when healed."""
        return

    async def heal(self) -> None:
        """Undo the fault; does nothing where it is undone or never began.

        Raises:
            LoadTestError: It could not be undone; it stays in the journal for the guard and for `heal`.
        """
        if self._entry is not None:
            await asyncio.to_thread(self._journal.heal, self._entry)

    async def __aenter__(self) -> Effect:
        await asyncio.to_thread(self._target.check_permission)
        undo = await asyncio.to_thread(self._prepare)
        self._entry = self._journal.intend(self.describe(), undo)
        try:
            effect = await self._inject()
        except BaseException:
            await self.heal()
            raise
        self._journal.took_effect(self._entry, effect.at, effect.proof, effect.could_not)
        return effect

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.heal()

    async def _change(self, *command: str) -> str:
        """Run a command that changes the cluster."""
        return await asyncio.to_thread(commands.run, command, self._journal.folder)

    @property
    def _folder(self) -> Path:
        return self._journal.folder


async def until(condition: Callable[[], object], what: str, seconds: float) -> None:
    """Wait for what the cluster comes to by itself.

    Raises:
        LoadTestError: It has not after `seconds`; names `what`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(condition):
        if asyncio.get_running_loop().time() > deadline:
            raise LoadTestError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(POLL_SECONDS)
