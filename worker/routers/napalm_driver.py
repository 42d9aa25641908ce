"""Driver of Cisco IOS, IOS XR and NX-OS, Arista EOS and Juniper Junos, through NAPALM.

The configuration is replaced as a whole by the router itself. These routers remember no idempotency keys, so
what has happened is told from their state: a change is made where the router runs what is expected, is taken
for made where it runs what is desired, and is refused elsewhere.

What a router without memory cannot give, and what stands in for it:
- IOS, EOS and Junos undo an unconfirmed change by themselves. NAPALM cannot have IOS XR and NX-OS do so: there
  a change stands at once, and is undone by putting the backup back. While no worker lives, it stays.
- A change that an undo has overtaken is barred by the process that made the undo, and a connection commits
  nothing once its step is over. In between, on another worker, a late change can arrive for some seconds; the
  router then undoes it by itself as nobody confirms it, on the platforms that can.
- Only the process that applied a change, or the revision given with the request, tells a change that never
  arrived from one that the router has undone, and a change of ours from somebody else's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRefusedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    RouterDriftedError,
    RouterError,
)
from worker.models.deployment import CheckSpec
from worker.routers.credentials import CredentialStore
from worker.routers.driver import (
    BGP_SESSION,
    CONFIGURATION,
    INTERFACE,
    ROUTE,
    SETTLE_SECONDS,
    Change,
    Check,
    Confirmation,
    RouterState,
    Undo,
    Undone,
)
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_checks import judge
from worker.routers.napalm_errors import to_router_error
from worker.routers.napalm_protocol import Library
from worker.routers.napalm_session import Session, connected
from worker.routers.normal_form import revision

_Answer = TypeVar("_Answer")

_CONNECTIONS_MAX = 16
"""Routers that one process talks to at a time. Each takes a thread that mostly waits."""
_REMEMBERED_MAX = 10_000
"""Changes that a process remembers; more than it makes while one of them is open."""
_LOOK_SECONDS = 2.0
"""Between looks at a check that has not come true; a look costs some routers a second of processor time."""


class NapalmDriver:
    """Configures routers through NAPALM, in threads of its own."""

    checks = frozenset({CONFIGURATION, BGP_SESSION, ROUTE, INTERFACE})

    def __init__(self, credentials: CredentialStore, library: Library | None = None) -> None:
        """Keep what connections are made of; none is made yet.

        Args:
            credentials: Logins, read anew for each connection.
            library: Stands in for `napalm.get_network_driver`, which is imported when first needed.
        """
        self._credentials = credentials
        self._library = library
        self._threads = ThreadPoolExecutor(_CONNECTIONS_MAX, thread_name_prefix="napalm")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._calls: set[asyncio.Task[object]] = set()
        self._applied: dict[str, str] = {}
        self._withdrawn: dict[str, str] = {}

    def close(self) -> None:
        """Take no more calls. Those under way end by themselves, within a minute."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, router: RouterRecord) -> RouterState:
        """See `Driver.read`. These routers do not know whose they are; the inventory's word is taken."""
        running = await self._call(router, Session.running)
        return RouterState(router.name, router.tenant, router.platform, revision(running), running)

    async def apply(self, change: Change) -> str:
        """See `Driver.apply`."""
        return await self._call(change.router, lambda session: self._apply(session, change))

    async def confirm(self, confirmation: Confirmation) -> str:
        """See `Driver.confirm`."""
        return await self._call(confirmation.router, lambda session: self._confirm(session, confirmation))

    async def undo(self, undo: Undo) -> Undone:
        """See `Driver.undo`."""
        return await self._call(undo.router, lambda session: self._undo(session, undo))

    async def check(
        self, router: RouterRecord, lines: tuple[str, ...], checks: tuple[CheckSpec, ...]
    ) -> tuple[Check, ...]:
        """See `Driver.check`."""
        declared = tuple(spec for spec in checks if spec.kind != CONFIGURATION)
        return await self._call(router, lambda session: _check(session, lines, declared))

    async def _call(self, router: RouterRecord, work: Callable[[Session], _Answer]) -> _Answer:
        """Do something on a connection, one at a time for each router.

        A thread cannot be stopped: when the caller is cancelled the call goes on, and whoever is next with the
        same router waits for it.
        """
        call = asyncio.create_task(self._locked(router, work))
        self._calls.add(call)
        call.add_done_callback(self._forget)
        return await asyncio.shield(call)

    def _forget(self, call: asyncio.Task[object]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            # Nobody may be left to hear of it, which is no reason for asyncio to complain.
            call.exception()

    async def _locked(self, router: RouterRecord, work: Callable[[Session], _Answer]) -> _Answer:
        lock = self._locks.setdefault(router.name, asyncio.Lock())
        async with lock:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._connected, router, work)

    def _connected(self, router: RouterRecord, work: Callable[[Session], _Answer]) -> _Answer:
        credentials = self._credentials.read(router.name, router.credentials)
        try:
            with connected(router, credentials, self._library) as session:
                return work(session)
        except RouterError:
            raise
        except Exception as error:  # noqa: BLE001 - five libraries raise what they like
            raise to_router_error(router.name, credentials.username, error) from None

    def _apply(self, session: Session, change: Change) -> str:
        name, key = change.router.name, change.idempotency_key
        if key in self._withdrawn:
            raise ChangeWithdrawnError(name, f"change {key} was undone before it arrived")
        before = session.running()
        if revision(before) != change.expected_revision:
            if session.difference(change.lines):
                raise RouterDriftedError(
                    name, f"is at revision {revision(before)}, not {change.expected_revision}"
                )
            return revision(before)
        if key in self._applied:
            raise ChangeRevertedError(name, f"has undone change {key} by itself")
        if session.is_pending():
            raise RouterDriftedError(name, "a change of somebody else waits to be confirmed")
        if not _replace(session, change, before):
            return revision(before)
        after = revision(session.running())
        if after == change.expected_revision:
            raise ChangeRefusedError(name, "has taken the change and runs what it did before")
        _remember(self._applied, key, after)
        return after

    def _confirm(self, session: Session, confirmation: Confirmation) -> str:
        name, key = confirmation.router.name, confirmation.change_key
        expected = confirmation.revision or self._applied.get(key, "")
        found = revision(session.running())
        is_pending = session.is_pending()
        if expected and found != expected:
            if session.can_revert and not is_pending:
                raise ChangeRevertedError(name, f"is at revision {found} and no longer at {expected}")
            raise RouterDriftedError(name, f"is at revision {found}, not {expected}")
        if is_pending:
            session.confirm(key)
        elif session.can_revert and not expected:
            raise ChangeRevertedError(name, "no change waits to be confirmed")
        return found

    def _undo(self, session: Session, undo: Undo) -> Undone:
        name, key = undo.router.name, undo.change_key
        _remember(self._withdrawn, key, "")
        expected = undo.revision or self._applied.get(key, "")
        running = session.running()
        if running == undo.lines:
            session.abandon(key)
            return Undone(revision(running), is_restored=bool(expected))
        if expected and revision(running) != expected:
            raise RouterDriftedError(name, f"is at revision {revision(running)}, not {expected}")
        if session.is_pending():
            session.revert(key)
        session.replace(undo.lines, undo.idempotency_key, None)
        if left := session.difference(undo.lines):
            raise ChangeHalfAppliedError(name, f"differs from its backup in {left} lines")
        return Undone(revision(session.running()), is_restored=True)


def _replace(session: Session, change: Change, before: tuple[str, ...]) -> bool:
    """Make the change, and tell one that was refused from one that was half taken by what runs afterwards."""
    try:
        return session.replace(change.lines, change.idempotency_key, change.confirm_seconds)
    except RouterError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `_connected`
        failure = to_router_error(change.router.name, "", error)
        if isinstance(failure, ChangeRefusedError) and session.running() != before:
            raise ChangeHalfAppliedError(failure.router, failure.reason) from None
        raise failure from None


def _check(session: Session, lines: tuple[str, ...], specs: tuple[CheckSpec, ...]) -> tuple[Check, ...]:
    differing = session.difference(lines)
    configuration = Check(CONFIGURATION, not differing, f"{differing} lines differ" if differing else "")
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        results = tuple(judge(spec, _ask(session, spec)) for spec in specs)
        left_seconds = deadline - time.monotonic()
        if all(result.is_passed for result in results) or differing or left_seconds <= 0:
            return configuration, *results
        time.sleep(min(_LOOK_SECONDS, left_seconds))


def _ask(session: Session, spec: CheckSpec) -> Mapping[str, object]:
    if spec.kind == BGP_SESSION:
        return session.device.get_bgp_neighbors()
    if spec.kind == ROUTE:
        return session.device.get_route_to(destination=spec.target)
    return session.device.get_interfaces()


def _remember(memory: dict[str, str], key: str, value: str) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED_MAX:
        del memory[next(iter(memory))]
