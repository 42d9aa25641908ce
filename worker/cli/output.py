"""What commands write: lines and tables for people, or JSON for machines, never both."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text


def one_line(text: str) -> str:
    """Return the text as one line without terminal control: a router's name must not move the cursor."""
    return plain(" ".join(text.split()))


def plain(text: str) -> str:
    """Return the text with its control characters, which a terminal would obey, written out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


@dataclass(frozen=True)
class Output:
    """Standard output in one of two forms; hints for people go to standard error."""

    is_json: bool
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True, markup=False))

    @property
    def is_live(self) -> bool:
        """Whether a display that redraws itself makes sense."""
        return self.console.is_terminal and not self.is_json

    def say(self, line: str, style: str = "") -> None:
        """Write a line for people."""
        if not self.is_json:
            self.console.print(Text(plain(line), style=style))

    def show(self, renderable: RenderableType) -> None:
        """Write a table or the like for people."""
        if not self.is_json:
            self.console.print(renderable)

    def emit(self, values: Mapping[str, Any]) -> None:
        """Write one JSON object as a line for machines."""
        if self.is_json:
            sys.stdout.write(json.dumps(values, default=str) + "\n")
            sys.stdout.flush()

    def hint(self, line: str) -> None:
        """Write a line for people on standard error, also with `--json`."""
        sys.stderr.write(f"{one_line(line)}\n")
