"""What a person sees while a run is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from load_tests.generator.crew import Progress

_REFRESH_SECONDS = 0.5


def line_of(progress: Progress, planned: int, gone_seconds: float, seconds: float) -> str:
    """Return how far a run is, in one line."""
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(progress.outcomes.items()))
    phase = (
        f"{gone_seconds:.0f} of {seconds:g} s" if gone_seconds < seconds else "waiting for the last to end"
    )
    return f"{phase}: {progress.dispatched} of {planned} sent, {progress.under_way} under way; {outcomes or 'none ended'}"


async def watch(
    console: Console, progress: Callable[[], Progress], planned: int, now: Callable[[], float], seconds: float
) -> None:
    """Show how far a run is, until cancelled; on a terminal only.

    Args:
        console: Where.
        progress: Says how far it is.
        planned: Operations in the plan.
        now: Seconds from the run's begin.
        seconds: How long operations are sent.
    """
    if not console.is_terminal:
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(line_of(progress(), planned, now(), seconds)), refresh=True)
            await asyncio.sleep(_REFRESH_SECONDS)


def latency_table(figures: dict[str, dict[str, float | int | None]]) -> Table:
    """Return the percentiles of a run, for a terminal."""
    names = list(next(iter(figures.values()), dict[str, object]()))
    found = Table("operations", *names, title="latency from when operations were due")
    for name, values in figures.items():
        found.add_row(name, *("" if value is None else f"{value:g}" for value in values.values()))
    return found
