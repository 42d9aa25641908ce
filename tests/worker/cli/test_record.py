"""What a history tells, from recorded ones; and what is shown of it. No server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter

from worker.cli.output import Output, one_line
from worker.cli.record import Ending, Record, RecordReader, Step
from worker.cli.rollout_watching import RolloutView, table
from worker.cli.watching import View, diff
from worker.models.deployment import Decision
from worker.models.rollout import Ending as RouterEnding
from worker.models.rollout import RouterFailure

HISTORIES = Path(__file__).parents[2] / "histories"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = ("configuration", "neighbours-up")


async def recorded(name: str) -> Record:
    history = WorkflowHistory.from_json("w", (HISTORIES / f"router_deployment_{name}.json").read_text())
    reader = RecordReader("w", "run", DataConverter.default)
    for event in history.events:
        await reader.feed(event)
    return reader.record


@pytest.mark.parametrize(
    ("name", "phases", "ending", "code", "kinds"),
    [
        ("deployed", "diff apply verify confirm deployed", "completed", 0, ("", "")),
        ("unchanged", "diff unchanged", "completed", 0, ("", "")),
        ("refused", "render refused", "failed", 3, ("DeploymentRefused", "TemplateInvalid")),
        ("cancelled", "apply rolling-back rolled-back", "cancelled", 3, ("", "")),
        (
            "rolled_back",
            "verify rolling-back rolled-back",
            "failed",
            3,
            ("DeploymentRolledBack", "ChecksFailed"),
        ),
        ("rollback_failed", "rolling-back rollback-failed", "failed", 4, ("RollbackFailed", "RouterDrifted")),
        ("approved", "diff awaiting-approval apply", "completed", 0, ("", "")),
        (
            "approval_timed_out",
            "awaiting-approval refused",
            "failed",
            3,
            ("DeploymentRefused", "ApprovalTimedOut"),
        ),
    ],
)
async def test_every_ending_is_read(
    name: str, phases: str, ending: str, code: int, kinds: tuple[str, str]
) -> None:
    record = await recorded(name)

    assert phases in " ".join(step.phase for step in record.steps)
    assert (record.ending, record.exit_code) == (ending, code)
    assert (record.failure_type, record.cause_type) == kinds
    assert bool(record.failure) is (ending != "completed")
    assert record.is_cancelling is (ending == "cancelled")


async def test_details_are_read() -> None:
    deployed, approved = await recorded("deployed"), await recorded("approved")

    assert (deployed.commands, deployed.checks) == (("no hostname old", "hostname new"), BOTH)
    assert (deployed.revision, deployed.decision) == ("2", None)
    assert approved.decision == Decision(by="luis", is_approved=True)
    assert deployed.request is not None
    assert deployed.request.variables == {"name": "new"}
    assert [step.at for step in deployed.steps] == sorted(step.at for step in deployed.steps)


@pytest.mark.parametrize(
    ("phase", "ending", "code"),
    [
        ("", Ending.OPEN, 0),
        ("apply", Ending.OPEN, 0),
        ("", Ending.TERMINATED, 3),
        ("diff", Ending.TERMINATED, 3),
        ("apply", Ending.TERMINATED, 4),
        ("rolling-back", Ending.TIMED_OUT, 4),
        ("of-a-newer-release", Ending.TERMINATED, 4),
    ],
)
def test_closed_from_outside_needs_a_look_once_the_router_was_told(
    phase: str, ending: Ending, code: int
) -> None:
    steps = (Step(phase, NOW),) if phase else ()

    assert Record("w", "run", steps=steps, ending=ending).exit_code == code


@pytest.mark.parametrize(
    ("phase", "counts", "failure", "code"),
    [
        ("completed", {"deployed": 3, "refused": 0}, "", 0),
        ("completed", {"deployed": 2, "unchanged": 1}, "", 0),
        ("completed", {"deployed": 2, "refused": 1}, "", 5),
        ("aborted", {"deployed": 2, "not-reached": 1}, "", 5),
        ("budget-spent", {"refused": 1, "not-reached": 2}, "", 3),
        ("budget-spent", {"deployed": 2, "rollback-failed": 1}, "", 4),
        ("completed", {"deployed": 2, "lost": 1}, "", 4),
        ("cancelled", {"cancelled": 1, "deployed": 1, "not-reached": 1}, "cancelled", 5),
        ("cancelled", {"cancelled": 3}, "cancelled", 3),
        ("deploying", {"deployed": 3}, "terminated", 1),
    ],
)
def test_exit_code_of_a_rollout(phase: str, counts: dict[str, int], failure: str, code: int) -> None:
    view = RolloutView("w", "t", "C", phase, total=3, counts=counts, failure=failure, is_open=False)

    assert view.exit_code == code
    assert replace(view, is_open=True).exit_code == 0


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=100, color_system="standard", highlight=False)


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_diff_is_coloured_and_obeys_no_router() -> None:
    console = terminal()
    console.print(diff(("no ntp server 192.0.2.1", "banner \x1b[2J")))

    assert "\x1b[31m           no ntp server 192.0.2.1\x1b[0m\n" in written(console)
    assert "\x1b[32m           banner \\x1b[2J" in written(console)


def test_one_line_has_no_control_characters() -> None:
    assert one_line("a\n  b\x1b[2Jc\té") == "a b\\x1b[2Jc é"


def test_terminal_line_shows_phase_and_trouble() -> None:
    console = terminal()
    view = View(Output(is_json=False, console=console))
    record = Record("w", "run", started=NOW, steps=(Step("precheck", NOW + timedelta(seconds=1.5)),))
    with console.status("") as view.status:
        view.update(record)
        view.refresh("attempt 2 of precheck: r1: cannot be reached")
        shown = view.status.renderable.text.plain  # pyright: ignore[reportAttributeAccessIssue]

    assert shown == "precheck  attempt 2 of precheck: r1: cannot be reached"
    assert "1.5 s  precheck" in written(console)


def test_rollout_table_shows_counts_bar_and_failures() -> None:
    failures = tuple(RouterFailure(f"r{number}", RouterEnding.BUSY, "taken") for number in range(12))
    values: dict[str, Any] = {"total": 20, "counts": {"deployed": 3, "busy": 12}, "running": ("r19",)}
    view = RolloutView("w", "chogar", "C-1", "deploying", batch=2, seconds=61, failures=failures, **values)
    console = Console(file=StringIO(), width=80, highlight=False)
    console.print(table(view))
    lines = [line.rstrip() for line in written(console).splitlines()]

    assert lines[0] == "C-1 of chogar: deploying  batch 2, 15 of 20, 61 s"
    assert lines[2:5] == ["deployed  3", "busy      12", "running: r19"]
    assert lines[5] == "r0: busy: taken"
    assert lines[-2:] == ["r9: busy: taken", "and 2 more"]
