"""What a person sees while a drill is under way: phase, availability of each zone, rate and latency just now."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.table import Table

from load_tests.drills.engine import Showing, View
from load_tests.drills.measures import is_missed, percentile
from load_tests.drills.phases import Phase
from load_tests.models import ClientKind, Operation

_REFRESH_SECONDS = 1.0
_LOOK_BACK_SECONDS = 5.0
_WAIT_SECONDS = 1.0
"""A probe has ended by then, so what is younger is left out."""


@dataclass(frozen=True)
class Now:
    """What the last seconds were like.

    Attributes:
        zones: By zone, which part of the probes was acknowledged.
        rate: Users' operations acknowledged per second.
        p99_seconds: Of those, from when they were due; None: there was none.
    """

    zones: dict[str, float]
    rate: float
    p99_seconds: float | None


def look(operations: Iterable[Operation], now: float) -> Now:
    """Return what the last seconds before a time were like. Pure."""
    since, until = now - _LOOK_BACK_SECONDS - _WAIT_SECONDS, now - _WAIT_SECONDS
    zones: defaultdict[str, list[bool]] = defaultdict(list)
    latencies: list[float] = []
    for item in operations:
        if item.client is ClientKind.PROBE and since <= item.intended < until:
            zones[item.zone].append(not is_missed(item))
        is_fresh = item.ended is not None and now - _LOOK_BACK_SECONDS <= item.ended
        if item.client is ClientKind.USER and is_fresh and not is_missed(item):
            latencies.append(item.latency_seconds or 0.0)
    return Now(
        {zone: sum(found) / len(found) for zone, found in sorted(zones.items())},
        len(latencies) / _LOOK_BACK_SECONDS,
        percentile(sorted(latencies), 99),
    )


def table_of(view: View, now: Now, at: float) -> Table:
    """Return what is shown."""
    timeline, phases = view.timeline, view.drill.phases
    gone = max(0.0, at - timeline.begin) if timeline.begin else 0.0
    found = Table(title=f"{view.drill.name}: {timeline.phase}", show_header=False)
    found.add_row("time", f"{min(gone, phases.total_seconds):.0f} of {phases.total_seconds:g} s")
    if timeline.effect is not None:
        found.add_row("fault", f"{at - timeline.effect.at:.0f} s ago: {timeline.effect.proof}")
    for zone, share in now.zones.items():
        colour = "green" if share == 1 else "red" if share == 0 else "yellow"
        found.add_row(zone or "server", f"[{colour}]{'█' * round(share * 20):<20} {share:.0%}[/]")
    found.add_row("users", f"{now.rate:.1f} operations per second")
    found.add_row("p99", "none ended" if now.p99_seconds is None else f"{now.p99_seconds * 1000:.0f} ms")
    return found


def showing_on(console: Console) -> Showing:
    """Return what shows drills on a terminal; elsewhere it names each phase in a line of its own."""

    @asynccontextmanager
    async def show(view: View) -> AsyncIterator[None]:
        task = asyncio.create_task(_watch(console, view) if console.is_terminal else _tell(console, view))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    return show


async def _watch(console: Console, view: View) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            now = view.run.clock.now()
            live.update(table_of(view, look(view.follower.operations(), now), now), refresh=True)
            await asyncio.sleep(_REFRESH_SECONDS)


async def _tell(console: Console, view: View) -> None:
    told: list[Phase] = []
    while True:
        if (phase := view.timeline.phase) not in told:
            told.append(phase)
            gone = view.run.clock.now() - view.timeline.begin if view.timeline.begin else 0.0
            console.print(f"{view.drill.name} {gone:4.0f} s: {phase}", highlight=False)
        await asyncio.sleep(_REFRESH_SECONDS / 4)
