"""Shows deployments: a live table on a terminal, one line per change anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby

from rich.console import Console
from rich.live import Live
from rich.table import Table

from worker.demo.watch import State
from worker.models.deployment import Phase

_STEPS = (
    Phase.PRECHECK,
    Phase.BACKUP,
    Phase.RENDER,
    Phase.DIFF,
    Phase.APPLY,
    Phase.VERIFY,
    Phase.CONFIRM,
)


@contextmanager
def display(console: Console, states: list[State]) -> Iterator[Callable[[list[State]], None]]:
    """Yield the function that shows a new state of affairs."""
    if console.is_terminal:
        with Live(table(states), console=console, refresh_per_second=8) as live:
            yield lambda changed: live.update(table(changed))
    else:
        yield _lines(console)


def table(states: list[State]) -> Table:
    """Return the table, grouped by tenant."""
    result = Table(title="Deployments by tenant", title_justify="left")
    for heading in ("Tenant", "Router", "Site", "Progress", "Phase"):
        result.add_column(heading, no_wrap=True)
    result.add_column("Seconds", justify="right")
    result.add_column("Applied", justify="right")
    for _, group in groupby(states, key=lambda state: state.tenant):
        for index, state in enumerate(group):
            result.add_row(state.tenant if index == 0 else "", *_cells(state))
        result.add_section()
    return result


def _cells(state: State) -> tuple[str, ...]:
    phase = state.phase.value if state.phase else "waiting for a worker"
    colour = "green" if state.is_good else "red" if state.failure else "yellow"
    return (
        state.router,
        state.site,
        _bar(state),
        f"[{colour}]{phase}[/]",
        f"{state.seconds:.1f}",
        "" if state.ledger is None else f"{state.ledger.applied}x",
    )


def _bar(state: State) -> str:
    """Return one mark per step: done or not; none is when it ended badly."""
    done = 0
    if state.phase in _STEPS:
        done = _STEPS.index(state.phase)
    elif state.phase in {Phase.DEPLOYED, Phase.UNCHANGED}:
        done = len(_STEPS)
    return "■" * done + "□" * (len(_STEPS) - done)


def _lines(console: Console) -> Callable[[list[State]], None]:
    """Return a function that prints a line for each deployment whose phase has changed."""
    shown: dict[str, tuple[Phase | None, bool]] = {}

    def show(states: list[State]) -> None:
        for state in states:
            key = f"{state.tenant}/{state.router}"
            now = (state.phase, state.is_done)
            if state.phase is not None and shown.get(key) != now:
                shown[key] = now
                console.print(
                    f"{state.seconds:6.1f} s  {state.tenant:<8}{state.router:<16}{state.phase.value}",
                    highlight=False,
                )

    return show
