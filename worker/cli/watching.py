"""Shows one deployment while it runs: a line per phase as it passes, and on a terminal one that lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from rich.status import Status
from rich.text import Text
from temporalio.client import Client

from worker.cli.following import follow, read, trouble
from worker.cli.output import Output, plain
from worker.cli.record import Record
from worker.models.deployment import Phase

_LOOK_SECONDS = 2.0
"""Between two looks at whether a step is in trouble."""
_STYLES = {0: "green", 3: "yellow", 4: "bold red"}
"""Colour of an ending by its exit code."""


async def watch_deployment(
    output: Output, client: Client, workflow_id: str, run_id: str, *, is_streaming: bool = False
) -> Record:
    """Follow a deployment to its end and show it; return the final record.

    Args:
        output: Where to show it.
        client: Of the deployment's namespace.
        workflow_id: Which workflow.
        run_id: Which of its runs.
        is_streaming: Whether machines get every change or only the end.

    Raises:
        RPCError: When the server refuses.
        CancelledError: On Ctrl-C, having said how to go on; the deployment is left alone.
    """
    view = View(output)
    record = await read(client, workflow_id, run_id)
    try:
        async with _looking(view, client, workflow_id, run_id):
            async for changed in follow(client, workflow_id, run_id):
                record = changed
                view.update(record)
                if is_streaming:
                    output.emit(record.to_dict())
    except asyncio.CancelledError:
        output.hint(
            f"{workflow_id} goes on; `routers watch {workflow_id}` shows it,"
            f" `routers cancel {workflow_id}` undoes it"
        )
        raise
    show_ending(output, record)
    if not is_streaming:
        output.emit(record.to_dict())
    return record


@dataclass
class View:
    """What has been shown so far."""

    output: Output
    status: Status | None = None
    steps: int = 0
    is_diff_shown: bool = False
    is_cancelling: bool = False
    trouble: str = ""
    record: Record | None = field(default=None, repr=False)

    def update(self, record: Record) -> None:
        """Show what is new."""
        self.record = record
        for step in record.steps[self.steps :]:
            seconds = (step.at - record.started).total_seconds() if record.started else 0
            self.output.say(f"{seconds:7.1f} s  {step.phase}")
            if step.phase == Phase.AWAITING_APPROVAL:
                hint = f"`routers approve {record.workflow_id} --by NAME`, or reject"
                self.output.say(f"           waits for {hint}", style="yellow")
        self.steps = len(record.steps)
        if record.commands and not self.is_diff_shown:
            self.output.show(diff(record.commands))
            self.is_diff_shown = True
        if record.is_cancelling and not self.is_cancelling:
            self.output.say("           being cancelled", style="yellow")
            self.is_cancelling = True
        self.refresh("")

    def refresh(self, problem: str) -> None:
        """Show what a step is in trouble with; a new reason as a line, a further attempt only on a terminal."""
        if _reason(problem) != _reason(self.trouble) and problem and self.status is None:
            self.output.say(f"           {problem}", style="yellow")
        self.trouble = problem
        if self.status is not None:
            phase = self.record.phase if self.record else ""
            text = Text(phase or "waiting for a worker")
            self.status.update(text.append(f"  {plain(problem)}" if problem else "", style="yellow"))


@asynccontextmanager
async def _looking(view: View, client: Client, workflow_id: str, run_id: str) -> AsyncIterator[None]:
    """Look for trouble while the block runs."""

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            view.refresh(await trouble(client, workflow_id, run_id))

    looking = asyncio.create_task(look())
    try:
        console = view.output.console
        with console.status("") if view.output.is_live else nullcontext() as view.status:
            yield
    finally:
        view.status = None
        looking.cancel()


def diff(commands: tuple[str, ...]) -> Text:
    """Return the commands in the colours of a diff: what is taken away red, what is added green."""
    text = Text()
    for command in commands:
        is_removal = command.lstrip().startswith("no ")
        text.append(f"           {plain(command)}\n", style="red" if is_removal else "green")
    text.rstrip()
    return text


def show_ending(output: Output, record: Record) -> None:
    """Say in one line how the deployment ended."""
    name = record.request.router if record.request else record.workflow_id
    ending = record.phase if record.ending in {"completed", "failed"} else f"{record.ending}, {record.phase}"
    line = f"{name}: {ending} in {record.seconds:.1f} s"
    if record.revision:
        line += f", revision {record.revision}"
    if record.checks:
        line += f", checks passed: {', '.join(record.checks)}"
    if record.failure:
        line += f": {record.failure}"
    output.say(line, style=_STYLES.get(record.exit_code, "red"))


def _reason(problem: str) -> str:
    return problem.partition(": ")[2] or problem
