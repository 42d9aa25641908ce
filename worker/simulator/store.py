"""Routers, their faults and the ledger, in one SQLite file.

Every change of a router and its ledger entry are one transaction, so that whatever is killed, and whenever,
the ledger tells exactly what happened to the router.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS routers (
    name TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    site TEXT NOT NULL,
    platform TEXT NOT NULL,
    latency_seconds REAL NOT NULL,
    revision INTEGER NOT NULL,
    running TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS faults (
    router TEXT NOT NULL,
    kind TEXT NOT NULL,
    times INTEGER NOT NULL,
    delay_seconds REAL NOT NULL,
    PRIMARY KEY (router, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS pending (
    router TEXT PRIMARY KEY,
    change_key TEXT NOT NULL,
    until_unix_seconds REAL NOT NULL,
    backup TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    unix_seconds REAL NOT NULL,
    router TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_key ON ledger (idempotency_key);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_once ON ledger (idempotency_key) WHERE outcome <> 'duplicate';
CREATE TRIGGER IF NOT EXISTS ledger_no_update BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_no_delete BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

LEDGER_PAGE = 10_000
"""Entries per answer at most; the reader asks on from the last sequence number it saw."""


class Fault(StrEnum):
    """What a simulated router can be told to do wrong."""

    UNREACHABLE = "unreachable"
    """It answers nothing but that it cannot be reached."""
    HALF_APPLIED = "half-applied"
    """It takes the first half of a change and refuses the rest."""
    SLOW = "slow"
    """It makes a change at once and answers `delay_seconds` later: the gap in which a worker can die."""
    REFUSE_VERIFY = "refuse-verify"
    """It takes the change and then fails a check."""
    LYING = "lying"
    """It says that it has made a change and has not."""


class Kind(StrEnum):
    """What a ledger entry is about."""

    APPLY = "apply"
    ROLLBACK = "rollback"
    CONFIRM = "confirm"
    REVERT = "revert"
    """The router undid a change by itself, because nobody confirmed it in time."""


class Outcome(StrEnum):
    """What came of it."""

    APPLIED = "applied"
    HALF_APPLIED = "half-applied"
    NOTHING_TO_UNDO = "nothing-to-undo"
    WITHDRAWN = "withdrawn"
    """The change was undone before it arrived; it will never be applied."""
    LIED = "lied"
    """The router said that it had made the change; it had not."""
    REVERTED = "reverted"
    """Of a roll-back: the router had undone the change by itself."""
    DUPLICATE = "duplicate"
    """The same key again; nothing was changed."""


_RESTORED = frozenset({Outcome.APPLIED, Outcome.REVERTED})
"""Outcomes of a roll-back after which the backup runs again."""


class StoreError(Exception):
    """A request that the router refuses; `kind` is what the driver tells errors apart by."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass(frozen=True)
class Router:
    """A simulated router."""

    name: str
    tenant: str
    site: str
    platform: str
    latency_seconds: float
    """How long every answer takes at least, to make a deployment watchable. 0 to 60."""
    revision: int
    running: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    sequence: int
    unix_seconds: float
    router: str
    idempotency_key: str
    kind: Kind
    outcome: Outcome
    revision: int
    """The router's revision afterwards."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


class Store:
    """The simulator's memory. One thread at a time; the caller sees to that."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing at NORMAL; only a machine that loses power could.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put_router(self, router: Router) -> Router:
        """Create the router at revision 1, or return it as it is when it exists already."""
        with self._transaction():
            self._database.execute(
                "INSERT INTO routers VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING",
                (
                    router.name,
                    router.tenant,
                    router.site,
                    router.platform,
                    router.latency_seconds,
                    json.dumps(router.running),
                ),
            )
            return self._router(router.name)

    def router(self, name: str) -> Router:
        """Return a router.

        Raises:
            StoreError: `unknown-router`.
        """
        with self._transaction():
            return self._router(name)

    def _router(self, name: str) -> Router:
        row = self._database.execute("SELECT * FROM routers WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise StoreError("unknown-router", "there is no such router")
        values: dict[str, Any] = {**dict(row), "running": tuple(json.loads(row["running"]))}
        return Router(**values)

    def set_fault(self, router: str, fault: Fault, times: int, delay_seconds: float) -> None:
        """Make the router misbehave for the next `times` requests that the fault concerns; 0 clears it."""
        with self._transaction():
            self._router(router)
            self._database.execute(
                "INSERT OR REPLACE INTO faults VALUES (?, ?, ?, ?)",
                (router, fault.value, times, delay_seconds),
            )

    def take_fault(self, router: str, fault: Fault) -> float | None:
        """Return the fault's delay and count it down, or None when the router is well."""
        with self._transaction():
            return self._take_fault(router, fault)

    def apply(
        self,
        name: str,
        key: str,
        expected_revision: int,
        lines: Iterable[str],
        confirm_seconds: float | None = None,
    ) -> int:
        """Replace the running configuration, once per key, and return the revision that the router claims.

        Args:
            name: The router.
            key: Idempotency key of the change.
            expected_revision: Refused when the router is at another.
            lines: The new configuration.
            confirm_seconds: The router returns to its old configuration unless `confirm` comes within this
                time. None: the change is permanent at once.

        Raises:
            StoreError: `unknown-router`, `drifted`, `half-applied`, `withdrawn` or `reverted`.
        """
        wanted = tuple(lines)
        with self._transaction():
            router = self._router(name)
            earlier = self._entry(key)
            if earlier is not None:
                self._append(name, key, Kind.APPLY, Outcome.DUPLICATE, router.revision)
            elif router.revision != expected_revision:
                raise StoreError("drifted", f"is at revision {router.revision}, not {expected_revision}")
            else:
                earlier = self._make(router, key, wanted, confirm_seconds)
            is_reverted = self._entry(_revert_key(key)) is not None
        if is_reverted:
            raise StoreError("reverted", f"change {key} was not confirmed in time")
        if earlier.outcome is Outcome.LIED:
            return earlier.revision + 1
        if earlier.outcome is Outcome.APPLIED:
            return earlier.revision
        raise StoreError(earlier.outcome.value, f"change {key} is {earlier.outcome.value}")

    def confirm(self, name: str, key: str, change_key: str) -> int:
        """Make a change permanent, once per key, and return the revision.

        Raises:
            StoreError: `unknown-router`, `bad-request` when there is no such change, `reverted` when the
                router has undone it already, `drifted` when the router was changed again since.
        """
        with self._transaction():
            router = self._router(name)
            change = self._entry(change_key)
            if change is None:
                raise StoreError("bad-request", f"there is no change {change_key}")
            if self._entry(_revert_key(change_key)) is not None:
                raise StoreError("reverted", f"change {change_key} was not confirmed in time")
            earlier = self._entry(key)
            if earlier is not None:
                self._append(name, key, Kind.CONFIRM, Outcome.DUPLICATE, router.revision)
                return earlier.revision
            if router.revision != change.revision:
                raise StoreError("drifted", f"is at revision {router.revision}, not {change.revision}")
            self._forget_pending(name)
            return self._append(name, key, Kind.CONFIRM, Outcome.APPLIED, router.revision).revision

    def roll_back(self, name: str, key: str, change_key: str, lines: Iterable[str]) -> tuple[int, bool]:
        """Undo a change, once per key; return the revision and whether the change had reached the router.

        A change that has not arrived is barred from arriving later.

        Raises:
            StoreError: `unknown-router`, or `drifted` when the router was changed again since.
        """
        with self._transaction():
            router = self._router(name)
            earlier = self._entry(key)
            if earlier is not None:
                self._append(name, key, Kind.ROLLBACK, Outcome.DUPLICATE, router.revision)
                return earlier.revision, earlier.outcome in _RESTORED
            change = self._entry(change_key)
            if change is None:
                self._append(name, change_key, Kind.APPLY, Outcome.WITHDRAWN, router.revision)
            if change is None or change.outcome in {Outcome.WITHDRAWN, Outcome.LIED}:
                self._append(name, key, Kind.ROLLBACK, Outcome.NOTHING_TO_UNDO, router.revision)
                return router.revision, False
            reverted = self._entry(_revert_key(change_key))
            expected = (reverted or change).revision
            if router.revision != expected:
                raise StoreError("drifted", f"is at revision {router.revision}, not {expected}")
            if reverted is not None:
                self._append(name, key, Kind.ROLLBACK, Outcome.REVERTED, router.revision)
                return router.revision, True
            self._forget_pending(name)
            undone = self._change(router, tuple(lines), key, Kind.ROLLBACK, Outcome.APPLIED)
            return undone.revision, True

    def ledger(self, prefix: str, after: int, limit: int = LEDGER_PAGE) -> list[Entry]:
        """Return the entries whose idempotency key starts with the prefix, oldest first."""
        with self._transaction():
            pass  # what has expired meanwhile belongs into the answer
        rows = self._database.execute(
            "SELECT * FROM ledger WHERE sequence > ? AND substr(idempotency_key, 1, ?) = ?"
            " ORDER BY sequence LIMIT ?",
            (after, len(prefix), prefix, min(limit, LEDGER_PAGE)),
        )
        return [_entry(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._revert_expired()
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _revert_expired(self) -> None:
        """Do what each router would have done by itself by now."""
        rows = self._database.execute(
            "DELETE FROM pending WHERE until_unix_seconds <= ? RETURNING *", (time.time(),)
        ).fetchall()
        for row in rows:
            router = self._router(row["router"])
            backup = tuple(json.loads(row["backup"]))
            key = _revert_key(row["change_key"])
            self._change(router, backup, key, Kind.REVERT, Outcome.APPLIED)

    def _forget_pending(self, router: str) -> None:
        self._database.execute("DELETE FROM pending WHERE router = ?", (router,))

    def _make(
        self, router: Router, key: str, wanted: tuple[str, ...], confirm_seconds: float | None
    ) -> Entry:
        """Make a change as well or badly as the router is told to."""
        if self._take_fault(router.name, Fault.LYING) is not None:
            return self._append(router.name, key, Kind.APPLY, Outcome.LIED, router.revision)
        self._forget_pending(router.name)
        if confirm_seconds is not None:
            self._database.execute(
                "INSERT INTO pending VALUES (?, ?, ?, ?)",
                (router.name, key, time.time() + confirm_seconds, json.dumps(router.running)),
            )
        if self._take_fault(router.name, Fault.HALF_APPLIED) is not None:
            half = wanted[: len(wanted) // 2]
            return self._change(router, half, key, Kind.APPLY, Outcome.HALF_APPLIED)
        return self._change(router, wanted, key, Kind.APPLY, Outcome.APPLIED)

    def _take_fault(self, router: str, fault: Fault) -> float | None:
        row = self._database.execute(
            "UPDATE faults SET times = times - 1 WHERE router = ? AND kind = ? AND times > 0"
            " RETURNING delay_seconds",
            (router, fault.value),
        ).fetchone()
        return None if row is None else float(row["delay_seconds"])

    def _entry(self, key: str) -> Entry | None:
        row = self._database.execute(
            "SELECT * FROM ledger WHERE idempotency_key = ? AND outcome <> 'duplicate'", (key,)
        ).fetchone()
        return None if row is None else _entry(row)

    def _change(
        self, router: Router, lines: tuple[str, ...], key: str, kind: Kind, outcome: Outcome
    ) -> Entry:
        revision = router.revision + 1
        self._database.execute(
            "UPDATE routers SET running = ?, revision = ? WHERE name = ?",
            (json.dumps(lines), revision, router.name),
        )
        return self._append(router.name, key, kind, outcome, revision)

    def _append(self, router: str, key: str, kind: Kind, outcome: Outcome, revision: int) -> Entry:
        row = self._database.execute(
            "INSERT INTO ledger (unix_seconds, router, idempotency_key, kind, outcome, revision)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
            (time.time(), router, key, kind.value, outcome.value, revision),
        ).fetchone()
        return _entry(row)


def _entry(row: sqlite3.Row) -> Entry:
    values: dict[str, Any] = {**dict(row), "kind": Kind(row["kind"]), "outcome": Outcome(row["outcome"])}
    return Entry(**values)


def _revert_key(change_key: str) -> str:
    """Return the ledger's key of the router's own undoing of a change."""
    return f"{change_key}#reverted"
