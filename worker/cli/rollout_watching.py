"""Shows one rollout while it runs: a live table on a terminal, a line per change anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError, RPCStatusCode

from worker.cli.exits import Exit
from worker.cli.output import Output, plain
from worker.client import RPC_TIMEOUT, is_transient
from worker.models.rollout import Ending, RolloutPhase, RolloutProgress, RouterFailure
from worker.starting.rollouts import RolloutHandle
from worker.workflows.fleet_rollout import FleetRollout

_LOOK_SECONDS = 1.0
_FAILURES_SHOWN = 10
"""Of a live table; the end and `routers report` show all."""
_GOOD = frozenset({Ending.DEPLOYED.value, Ending.UNCHANGED.value})
_LOOK = frozenset({Ending.ROLLBACK_FAILED.value, Ending.LOST.value})
_STYLES = {Ending.DEPLOYED: "green", Ending.UNCHANGED: "green", Ending.NOT_REACHED: "dim"}


@dataclass(frozen=True)
class RolloutView:
    """A rollout as it is known now."""

    workflow_id: str
    tenant: str
    change_id: str
    phase: str = ""
    """A `RolloutPhase`; empty until a worker has answered."""
    total: int = 0
    batch: int = 0
    parallelism: int = 0
    counts: Mapping[str, int] | None = None
    """Routers by ending; None until a worker has answered."""
    running: tuple[str, ...] = ()
    failures: tuple[RouterFailure, ...] = ()
    note: str = ""
    seconds: float = 0
    is_open: bool = True
    endings: Mapping[str, str] | None = None
    """What became of every router, once it has ended by itself."""
    failure: str = ""
    """Why it did not end by itself, one line."""

    @property
    def done(self) -> int:
        """Routers that have an ending."""
        return sum((self.counts or {}).values())

    @property
    def exit_code(self) -> Exit:
        """What the rollout's end means for a script; `GOOD` while it is open."""
        counts = {ending: count for ending, count in (self.counts or {}).items() if count}
        if self.is_open:
            return Exit.GOOD
        if counts.keys() & _LOOK:
            return Exit.LOOK
        if self.failure and self.phase != RolloutPhase.CANCELLED:
            return Exit.FAILED
        if counts and counts.keys() <= _GOOD and self.done >= self.total:
            return Exit.GOOD
        return Exit.PARTLY if counts.keys() & _GOOD else Exit.NOT_DEPLOYED

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what `--json` shows of a rollout."""
        return {
            "kind": "rollout",
            **asdict(self),
            "seconds": round(self.seconds, 3),
            "exit_code": int(self.exit_code),
        }


async def watch_rollout(
    output: Output, handle: RolloutHandle, view: RolloutView, *, is_streaming: bool = False
) -> RolloutView:
    """Follow a rollout to its end and show it; return how it ended.

    Args:
        output: Where to show it.
        handle: Of the rollout, through all its runs.
        view: What is known of it.
        is_streaming: Whether machines get every change or only the end.

    Raises:
        RPCError: When the server refuses.
        CancelledError: On Ctrl-C, having said how to go on; the rollout is left alone.
    """
    shown = view
    try:
        with Live(table(view), console=output.console) if output.is_live else nullcontext() as live:
            async for changed in _follow(handle, view):
                if live is not None:
                    live.update(table(changed))
                elif replace(changed, seconds=0) != replace(shown, seconds=0):
                    output.say(_line(changed))
                if is_streaming and changed.is_open:
                    output.emit(changed.to_dict())
                shown = changed
    except asyncio.CancelledError:
        output.hint(f"{view.workflow_id} goes on; `routers watch {view.workflow_id}` shows it")
        raise
    show_rollout(output, shown)
    output.emit(shown.to_dict())
    return shown


async def look(handle: RolloutHandle, view: RolloutView) -> RolloutView:
    """Return the rollout as it is now: of one that has ended its report, of an open one what a worker answers.

    Raises:
        RPCError: When the server does not answer.
    """
    description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    ended = description.close_time
    began = description.start_time
    view = replace(view, seconds=((ended or datetime.now(UTC)) - began).total_seconds())
    view = await _ask(handle, view)
    if description.status is WorkflowExecutionStatus.RUNNING:
        return view
    return await _end(handle, view)


async def _follow(handle: RolloutHandle, view: RolloutView) -> AsyncIterator[RolloutView]:
    async with _ending(handle, view) as ending:
        while not ending.done():
            try:
                view = await look(handle, view)
            except RPCError as error:
                if not is_transient(error):
                    raise
            if view.is_open:
                yield view
            await asyncio.wait([ending], timeout=_LOOK_SECONDS)
        await ending
    yield await look(handle, view)


@asynccontextmanager
async def _ending(handle: RolloutHandle, view: RolloutView) -> AsyncIterator[asyncio.Task[RolloutView]]:
    ending = asyncio.create_task(_end(handle, view))
    try:
        yield ending
    finally:
        ending.cancel()


async def _end(handle: RolloutHandle, view: RolloutView) -> RolloutView:
    """Return the view at the rollout's end, however long that takes and whatever becomes of the connection."""
    while True:
        try:
            report = await handle.result()
        except RPCError as error:
            if not is_transient(error):
                raise
            await asyncio.sleep(_LOOK_SECONDS)
        except WorkflowFailureError as error:
            is_cancelled = isinstance(error.cause, CancelledError)
            phase = RolloutPhase.CANCELLED.value if is_cancelled else view.phase
            return replace(view, is_open=False, running=(), phase=phase, failure=str(error.cause))
        else:
            return replace(
                view,
                is_open=False,
                running=(),
                phase=report.outcome.value,
                total=len(report.endings),
                counts=report.counts,
                endings={router: ending.value for router, ending in report.endings.items()},
                failures=report.failures,
                seconds=report.seconds,
                note=report.note,
            )


async def _ask(handle: RolloutHandle, view: RolloutView) -> RolloutView:
    """Return what a worker knows of it; what is known already when none answers."""
    try:
        progress: RolloutProgress = await handle.query(FleetRollout.progress, rpc_timeout=RPC_TIMEOUT)
    except WorkflowQueryFailedError:
        return view
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise
        return view
    return replace(
        view,
        phase=progress.phase.value,
        total=progress.total,
        batch=progress.batch,
        parallelism=progress.parallelism,
        counts=progress.counts,
        running=progress.running,
        failures=progress.failures,
        note=progress.note,
    )


def table(view: RolloutView) -> RenderableType:
    """Return what a terminal shows: a bar, the counts, what runs and what failed."""
    title = Text(plain(f"{view.change_id} of {view.tenant}: {view.phase or 'waiting for a worker'}"), "bold")
    title.append(f"  batch {view.batch}, {view.done} of {view.total}, {view.seconds:.0f} s", "dim")
    counts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for ending, count in (view.counts or {}).items():
        if count:
            counts.add_row(Text(ending, _STYLES.get(Ending(ending), "red")), str(count))
    # A bar alone ends without a line break.
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(view.total, 1), completed=view.done, width=40))
    running = Text(
        plain(f"running: {', '.join(view.running) or 'none'}"), "dim", overflow="ellipsis", no_wrap=True
    )
    note = [Text(plain(view.note), "yellow")] if view.note else []
    return Group(title, bar, counts, running, *note, *_failures(view, _FAILURES_SHOWN))


def show_rollout(output: Output, view: RolloutView) -> None:
    """Write the rollout's state or report for people."""
    output.show(table(replace(view, failures=())) if output.is_live else Text(_line(view)))
    for line in _failures(view, len(view.failures)):
        output.show(line)
    if view.failure:
        output.say(f"{view.change_id}: {view.failure}", style="red")


def _line(view: RolloutView) -> str:
    counts = ", ".join(f"{count} {ending}" for ending, count in (view.counts or {}).items() if count)
    note = f"; {view.note}" if view.note else ""
    phase = view.phase or "waiting for a worker"
    return plain(
        f"{view.seconds:7.1f} s  {phase}  {view.done} of {view.total}{': ' if counts else ''}{counts}"
        f"{f', {len(view.running)} running' if view.running else ''}{note}"
    )


def _failures(view: RolloutView, count: int) -> list[Text]:
    lines = [
        Text(plain(f"{item.router}: {item.ending}: {item.reason}"), "red") for item in view.failures[:count]
    ]
    hidden = len(view.failures) - len(lines)
    return [*lines, Text(f"and {hidden} more", "red")] if hidden else lines
