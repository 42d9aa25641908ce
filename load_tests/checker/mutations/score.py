"""Plants every bug and sees what the checker makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from load_tests.checker import Report, Sources, judge, observe
from load_tests.checker.mutations.bugs import BUGS, Bug
from load_tests.checker.mutations.scene import Scene
from load_tests.checker.mutations.stage import NAMESPACE, Stage, stage
from load_tests.checker.mutations.workflows import WORKFLOWS
from worker.bench.support.verdict import Verdict
from worker.workflows.router_deployment import RouterDeployment


@dataclass(frozen=True)
class Caught:
    """What the checker made of one bug."""

    bug: Bug
    report: Report

    @property
    def by(self) -> tuple[str, ...]:
        """Every invariant with a finding."""
        return tuple(judged.invariant for judged in self.report.judgements if judged.findings)

    @property
    def is_right(self) -> bool:
        """Whether exactly the bug's own invariant caught it, and everything could be read."""
        expected = (self.bug.caught_by,) if self.bug.caught_by else ()
        verdict = Verdict.FAIL if expected else Verdict.PASS
        return self.by == expected and self.report.verdict is verdict and not self.report.unread

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bug": self.bug.name,
            "summary": self.bug.summary,
            "expected": self.bug.caught_by,
            "caught_by": list(self.by),
            "is_right": self.is_right,
            "findings": [str(finding) for finding in self.report.findings],
            "unread": [f"{unread.subject}: {unread.reason}" for unread in self.report.unread],
        }


async def score(bugs: Sequence[Bug] = BUGS) -> list[Caught]:
    """Plant each bug in a corner of one system, side by side, and check each corner.

    Raises:
        UsageError: When the dev server's binary is missing.
        EmbeddedError: When a part does not start.
    """
    with TemporaryDirectory(prefix="routerfleet-mutations-") as folder:
        async with stage(Path(folder)) as system:
            return await asyncio.gather(*(_caught(system, bug) for bug in bugs))


async def _caught(system: Stage, bug: Bug) -> Caught:
    async with AsyncExitStack() as lasting:
        scene = Scene(bug.name, system, lasting)
        await bug.plant(scene)
        sources = Sources(
            clients={NAMESPACE: scene.stage.client},
            workflows=(*WORKFLOWS, RouterDeployment),
            simulator=system.simulator,
            end_seconds=scene.end_seconds,
            visibility_seconds=scene.visibility_seconds,
        )
        observations = await observe(sources, scene.operations, scene.samples)
        return Caught(bug, judge(scene.tamper(observations), scene.operations))


def table(caught: Sequence[Caught]) -> Table:
    """Return a table for people: each bug and what caught it."""
    result = Table("bug", "caught by", "what is done")
    for column in result.columns[:2]:
        column.no_wrap = True
    for one in caught:
        colour = "green" if one.is_right else "red"
        by = ", ".join(one.by) or "nothing"
        wrong = "" if one.is_right else f", should be {one.bug.caught_by or 'nothing'}"
        result.add_row(one.bug.name, f"[{colour}]{by}{wrong}[/]", one.bug.summary)
    return result
