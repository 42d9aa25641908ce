"""Progress of the lab's own commands: one line per step, with how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Steps:
    """Prints each step on standard error when it ends; silent where the caller wants JSON."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Time one step."""
        start = time.monotonic()
        self.note(f"{what} ...")
        yield
        self.note(f"{what}: done in {time.monotonic() - start:.1f} s")

    def note(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)
