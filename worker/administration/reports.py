"""What the administrative commands print: a table on a terminal, plain lines elsewhere, one object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

_SHORT = 20
"""Fewer things than this are done before a bar could be read."""


@dataclass(frozen=True)
class Report:
    """Where a command reports to: the result to standard output, progress to standard error."""

    is_json: bool = False
    output: Console = field(default_factory=lambda: Console(highlight=False, markup=False))
    progress_output: Console = field(
        default_factory=lambda: Console(stderr=True, highlight=False, markup=False)
    )

    def result(
        self,
        values: Mapping[str, Any],
        headings: Sequence[str],
        rows: Sequence[Sequence[str]],
        otherwise: str,
    ) -> None:
        """Report the result.

        Args:
            values: For machines.
            headings: Of the table, for people.
            rows: Of the table; elsewhere than on a terminal each is one line.
            otherwise: What to say when there are no rows.
        """
        if self.is_json:
            sys.stdout.write(json.dumps(values) + "\n")
        elif rows and self.output.is_terminal:
            table = Table(*headings)
            for row in rows:
                table.add_row(*row)
            self.output.print(table)
        else:
            lines = [": ".join(cell for cell in row if cell) for row in rows] or [otherwise]
            sys.stdout.write("\n".join(lines) + "\n")

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar on a terminal while many things are done; yield what is called after each."""
        is_shown = total >= _SHORT and self.progress_output.is_terminal and not self.is_json
        with Progress(console=self.progress_output, disable=not is_shown, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)

    def note(self, text: str) -> None:
        """Say how it goes, for people only."""
        if self.progress_output.is_terminal and not self.is_json:
            self.progress_output.print(text)
