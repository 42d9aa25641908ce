"""One connection to a router through NAPALM, with what each platform needs evened out. Blocks: for threads."""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from worker.errors import ChangeRefusedError, RouterUnreachableError
from worker.routers import napalm_connection, normal_form
from worker.routers.credentials import Credentials
from worker.routers.inventory import RouterRecord
from worker.routers.napalm_connection import PLATFORMS
from worker.routers.napalm_protocol import Library, NetworkDriver
from worker.routers.planner import plan

CALL_SECONDS = 45.0
"""A connection older than this commits nothing any more: its step has ended (after 50 s at most), and another
worker may have the router."""


class Session:
    """An open connection."""

    def __init__(self, router: RouterRecord, device: NetworkDriver, folder: Path) -> None:
        self._router = router
        self._device = device
        self._folder = folder
        self._platform = PLATFORMS[router.platform]
        self._deadline = time.monotonic() + CALL_SECONDS
        self._has_candidate = False

    @property
    def device(self) -> NetworkDriver:
        """NAPALM's own object, for its getters."""
        return self._device

    @property
    def can_revert(self) -> bool:
        """Whether the router undoes a change by itself unless it is confirmed."""
        return self._platform.revert_step_seconds > 0

    def running(self) -> tuple[str, ...]:
        """Return the running configuration's lines."""
        style = "set" if self._router.platform == "junos" else "text"
        config = self._device.get_config(retrieve="running", format=style)
        return normal_form.read(self._router.platform, config["running"])

    def difference(self, lines: tuple[str, ...]) -> int:
        """Return in how many lines the router would change by these, by its own comparison."""
        self._name_session("compare")
        try:
            return self._load(lines)
        finally:
            self._discard()

    def replace(self, lines: tuple[str, ...], key: str, revert_seconds: float | None) -> bool:
        """Replace the configuration, with a time until confirmed; return False when it was the same already.

        Raises:
            RouterUnreachableError: When the connection has become too old; nothing was changed.
            ChangeRefusedError: When the router has not taken every line into its candidate.
        """
        self._name_session(key)
        if not self._load(lines):
            self._discard()
            return False
        if time.monotonic() > self._deadline:
            self._discard()
            raise RouterUnreachableError(self._router.name, f"not ready to commit after {CALL_SECONDS:g} s")
        self._has_candidate = False
        if revert_seconds is None or not self.can_revert:
            self._device.commit_config()
            return True
        step = self._platform.revert_step_seconds
        self._device.commit_config(revert_in=math.ceil(revert_seconds / step) * step)
        self._name_session(None)
        return True

    def is_pending(self) -> bool:
        """Whether a change waits to be confirmed."""
        return self.can_revert and self._device.has_pending_commit()

    def confirm(self, key: str) -> None:
        """Keep the change that waits to be confirmed."""
        self._name_session(key)
        self._device.confirm_commit()
        self._name_session(None)

    def abandon(self, key: str) -> None:
        """Forget the candidate that a worker may have left when it died; only EOS keeps such a thing."""
        if self._router.platform == "eos":
            self._name_session(key)
            # There is none to forget, as a rule.
            with suppress(Exception):
                self._device.discard_config()
            self._name_session(None)

    def revert(self, key: str) -> None:
        """Undo the change that waits to be confirmed."""
        self._name_session(key)
        self._device.rollback()
        self._name_session(None)

    def _load(self, lines: tuple[str, ...]) -> int:
        """Load a candidate and return in how many lines it differs from what runs.

        Junos takes a whole configuration only in braces; in `set` commands it takes the difference. IOS wants
        an `end`, and in a banner the character that it prints as `^C`.
        """
        running = self.running()
        if running == lines:
            return 0
        if self._router.platform == "junos":
            commands = plan("junos", running, lines)
            if commands:
                self._has_candidate = True
                self._device.load_merge_candidate(filename=self._write("\n".join(commands)))
            return len(commands)
        text = "\n".join(lines) + "\n"
        if self._router.platform == "ios":
            text = text.replace("^C", "\x03") + "end\n"
        self._has_candidate = True
        self._device.load_replace_candidate(filename=self._write(text))
        self._refuse_lost_lines(lines)
        diff = self._device.compare_config().splitlines()
        return len([line for line in diff if line.strip() and not line.lstrip().startswith("!")])

    def _discard(self) -> None:
        if self._has_candidate:
            self._device.discard_config()
        self._has_candidate = False

    def _refuse_lost_lines(self, lines: tuple[str, ...]) -> None:
        """Refuse a candidate that lacks lines: over SSH, NAPALM does not notice that EOS refused one."""
        if self._router.platform != "eos" or napalm_connection.transport_of(self._router) != "ssh":
            return
        candidate = self._device.get_config(retrieve="candidate", format="text")["candidate"]
        taken = {line.strip() for line in candidate.splitlines()}
        lost = [line for line in lines if line.strip() not in taken]
        if lost:
            raise ChangeRefusedError(
                self._router.name, f"takes {len(lines) - len(lost)} of {len(lines)} lines as they are written"
            )

    def _name_session(self, key: str | None) -> None:
        """Name EOS's configuration session after the change, so that a later connection finds it.

        None makes NAPALM forget it: closing a connection, it ends a session that it knows, and that would
        undo the change that waits to be confirmed.
        """
        if self._router.platform == "eos":
            name = None if key is None else f"routerfleet-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
            cast("Any", self._device).config_session = name

    def _write(self, text: str) -> str:
        path = self._folder / "candidate"
        path.write_text(text, encoding="utf-8")
        return str(path)


@contextmanager
def connected(
    router: RouterRecord, credentials: Credentials, library: Library | None = None
) -> Iterator[Session]:
    """Give a connection that is closed afterwards.

    Raises:
        Exception: Whatever NAPALM and the libraries below it raise; see `napalm_errors`.
    """
    with tempfile.TemporaryDirectory(prefix="routerfleet-") as name:
        folder = Path(name)
        device = napalm_connection.device(router, credentials, folder, library)
        try:
            device.open()
            yield Session(router, device, folder)
        finally:
            # What it was for is done or has failed; how it ends changes neither.
            with suppress(Exception):
                device.close()
