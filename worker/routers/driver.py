"""What a deployment needs of a router, whatever its make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RouterState:
    """A router as it is now."""

    name: str
    tenant: str
    platform: str
    revision: int
    """Grows by one with every change of the running configuration."""
    running: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """One thing that must hold after a change."""

    name: str
    is_passed: bool
    detail: str = ""


@dataclass(frozen=True)
class Change:
    """A configuration to put in place of another."""

    router: str
    idempotency_key: str
    expected_revision: int
    """The change is refused when the router has moved on from this revision."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Undo:
    """The return to a backup."""

    router: str
    idempotency_key: str
    change_key: str
    """Idempotency key of the change to undo."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Undone:
    """What an undo found and did."""

    revision: int
    is_restored: bool
    """False when the change had never reached the router."""


class Driver(Protocol):
    """One kind of router.

    Every method raises a `worker.errors.RouterError`; `RouterUnreachableError` alone is worth a retry.
    `apply` and `undo` are idempotent by key: a repetition answers as the first did and changes nothing.
    """

    async def read(self, router: str) -> RouterState:
        """Return the router's state.

        Raises:
            RouterUnknownError: When there is no such router.
        """
        ...

    async def apply(self, change: Change) -> int:
        """Put the change in place and return the new revision.

        Raises:
            RouterDriftedError: When the router is not at the expected revision; nothing was changed.
            ChangeHalfAppliedError: When part of it was taken; an undo is due.
            ChangeWithdrawnError: When an undo of this very change came first; nothing was changed.
        """
        ...

    async def undo(self, undo: Undo) -> Undone:
        """Return the router to the backup, if the change reached it, and bar the change from arriving later.

        Raises:
            RouterDriftedError: When somebody else has changed the router since; nothing was undone.
        """
        ...

    async def check(self, router: str, lines: tuple[str, ...]) -> tuple[Check, ...]:
        """Return the checks of a router that should run these lines, passed or not."""
        ...
