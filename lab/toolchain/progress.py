"""What a person sees while tools are built and images assembled.

A terminal gets a live line per running step; a pipe or a log file gets one plain line when a step
starts and one when it ends. Both say how long each took and how many are left.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.status import Status


class Progress:
    """Steps of one run, possibly several at a time; silent unless a subclass shows them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected = 0
        self._finished = 0
        self._running: list[str] = []

    def expect(self, steps: int) -> None:
        """Announce further steps, so that "how many left" is known before they start."""
        with self._lock:
            self._expected += steps

    def note(self, line: str) -> None:
        """Tell something that is not a step."""
        self._show(line)

    @contextmanager
    def step(self, what: str, hint: str = "") -> Iterator[None]:
        """Show that `what` runs until the block ends; a failing block is not counted as done."""
        started = time.monotonic()
        with self._lock:
            self._running.append(what)
        self._begin(f"{what} ...{f' ({hint})' if hint else ''}")
        try:
            yield
        except BaseException:
            self._stop(what)
            raise
        with self._lock:
            self._finished += 1
            left = max(self._expected - self._finished, 0)
        self._stop(what)
        self._show(f"{what}: done in {time.monotonic() - started:.0f} s, {left} left")

    def _stop(self, what: str) -> None:
        with self._lock:
            self._running.remove(what)
        self._refresh()

    def _begin(self, line: str) -> None:
        self._show(line)

    def _show(self, line: str) -> None:
        """Print one line."""

    def _refresh(self) -> None:
        """Redraw the running steps."""


class LineProgress(Progress):
    """Plain lines, for pipes and logs."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def _show(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class LiveProgress(Progress):
    """A spinner naming the running steps, above it a line per finished step."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._status: Status | None = None

    def _begin(self, line: str) -> None:
        del line
        self._refresh()

    def _show(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False)

    def _refresh(self) -> None:
        with self._lock:
            text = ", ".join(self._running)
            if not text and self._status is not None:
                self._status.stop()
                self._status = None
            elif text and self._status is None:
                self._status = self._console.status(text)
                self._status.start()
            elif text and self._status is not None:
                self._status.update(text)


def default_progress() -> Progress:
    """Return what fits standard error: live on a terminal, plain lines elsewhere."""
    if sys.stderr.isatty():
        return LiveProgress(Console(stderr=True))
    return LineProgress(sys.stderr)
