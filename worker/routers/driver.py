"""What a deployment needs of a router, whatever its make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from worker.models.deployment import CheckSpec
from worker.routers.inventory import RouterRecord

CONFIGURATION = "configuration"
"""Check: the router runs the desired configuration. Every driver makes it, declared or not."""
BGP_SESSION = "bgp-session"
"""Check: the session with the neighbour of that address is Established."""
ROUTE = "route"
"""Check: the routing table has a route to that prefix."""
INTERFACE = "interface"
"""Check: the interface of that name is up."""


@dataclass(frozen=True)
class RouterState:
    """A router as it is now, by its own account."""

    name: str
    tenant: str
    platform: str
    revision: str
    """Opaque; differs whenever the running configuration differs. A router without revisions of its own
    gets a hash of its configuration."""
    running: tuple[str, ...]
    """Indentation kept; banners, comments and blank lines dropped."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold after a change."""

    name: str
    is_passed: bool
    detail: str = ""
    """What was found instead, when it did not pass."""


@dataclass(frozen=True)
class Change:
    """A configuration to put in place of another."""

    router: RouterRecord
    idempotency_key: str
    expected_revision: str
    """The change is refused when the router has moved on from this revision."""
    lines: tuple[str, ...]
    """The whole desired configuration; a driver that sends commands plans them with `planner.plan`."""
    confirm_seconds: float
    """The router returns to its old configuration by itself unless confirmed within this time."""


@dataclass(frozen=True)
class Confirmation:
    """A change to keep."""

    router: RouterRecord
    idempotency_key: str
    change_key: str
    """Idempotency key of the change."""
    revision: str = ""
    """The revision that the change produced. A driver whose routers remember no keys tells by it a change
    that is confirmed from one that the router has undone by itself. Default: not known."""


@dataclass(frozen=True)
class Undo:
    """The return to a backup."""

    router: RouterRecord
    idempotency_key: str
    change_key: str
    """Idempotency key of the change to undo."""
    lines: tuple[str, ...]
    revision: str = ""
    """The revision that the change produced, as for `Confirmation`. Default: not known, as when the apply has
    not reported."""


@dataclass(frozen=True)
class Undone:
    """What an undo found and did."""

    revision: str
    is_restored: bool
    """True when the change had reached the router and the backup runs again, whoever brought it back;
    False when the change had never reached the router."""


class Driver(Protocol):
    """One kind of router.

    Every method raises a `worker.errors.RouterError`; `RouterUnreachableError` alone is worth a retry.
    `apply`, `confirm` and `undo` are idempotent by key: a repetition answers as the first did and changes
    nothing. A driver of a router that cannot remember keys derives the same from its state.
    """

    @property
    def checks(self) -> frozenset[str]:
        """The kinds of check it can make."""
        ...

    async def read(self, router: RouterRecord) -> RouterState:
        """Return the router's state.

        Raises:
            RouterUnknownError: When there is no such router.
            CredentialsRefusedError: When the router does not let us in.
        """
        ...

    async def apply(self, change: Change) -> str:
        """Put the change in place until confirmed, and return the new revision.

        Raises:
            RouterDriftedError: When the router is not at the expected revision; nothing was changed.
            ChangeHalfAppliedError: When part of it was taken; an undo is due.
            ChangeWithdrawnError: When an undo of this very change came first; nothing was changed.
            ChangeRevertedError: On a repetition after the router has undone the change by itself.
        """
        ...

    async def confirm(self, confirmation: Confirmation) -> str:
        """Make the change permanent, and return the revision.

        Raises:
            ChangeRevertedError: When the router has undone the change by itself before.
            RouterDriftedError: When somebody else has changed the router since.
        """
        ...

    async def undo(self, undo: Undo) -> Undone:
        """Return the router to the backup, if the change reached it, and bar the change from arriving later.

        Raises:
            RouterDriftedError: When somebody else has changed the router since; nothing was undone.
        """
        ...

    async def check(
        self, router: RouterRecord, lines: tuple[str, ...], checks: tuple[CheckSpec, ...]
    ) -> tuple[Check, ...]:
        """Return `CONFIGURATION` for a router that should run these lines, then each declared check.

        Waits for what takes a moment to come true (a session that is being set up), within
        `SETTLE_SECONDS`, and returns as soon as all hold.
        """
        ...


SETTLE_SECONDS = 30.0
"""How long a check may wait to come true; BGP in a quiet network takes up to 12 s (facts/lab.md)."""
