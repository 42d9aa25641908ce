"""Every planted bug, and the invariant that has to catch it, alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from load_tests.checker import invariants
from load_tests.checker.mutations import effects, histories, messages, starts
from load_tests.checker.mutations.scene import Scene
from load_tests.checker.mutations.workflows import Flaw, Task


@dataclass(frozen=True)
class Bug:
    """One planted bug."""

    plant: Callable[[Scene], Awaitable[None]]
    caught_by: str
    """Name of the invariant; empty: there is nothing to catch."""

    @property
    def name(self) -> str:
        """As the function is called, with hyphens."""
        return self.plant.__name__.replace("_", "-")

    @property
    def summary(self) -> str:
        """What is done, in one line."""
        return (self.plant.__doc__ or "").partition("\n")[0]


async def clean(scene: Scene) -> None:
    """Nothing is wrong: results, messages, timers, children, continue-as-new, deployments."""
    await scene.echo()
    await scene.start("CheckerLine", Task(2), {"number": 0})
    await messages.converse(scene, Flaw.NONE)
    await scene.sample(await scene.echo())
    await scene.deploy(await scene.router())


BUGS = (
    Bug(clean, ""),
    Bug(starts.acknowledged_and_never_made, invariants.lost_starts.NAME),
    Bug(starts.acknowledged_as_another_run, invariants.lost_starts.NAME),
    Bug(histories.deleted, invariants.lost_starts.NAME),
    Bug(starts.started_twice, invariants.duplicate_starts.NAME),
    Bug(starts.unknown_made_two, invariants.duplicate_starts.NAME),
    Bug(starts.refused_and_made, invariants.duplicate_starts.NAME),
    Bug(starts.blocked, invariants.stuck_workflows.NAME),
    Bug(starts.wrong_number, invariants.wrong_results.NAME),
    Bug(starts.terminated, invariants.wrong_results.NAME),
    Bug(messages.swallowed, invariants.lost_messages.NAME),
    Bug(messages.acknowledged_and_never_recorded, invariants.lost_messages.NAME),
    Bug(messages.repeated, invariants.repeated_messages.NAME),
    Bug(messages.refused_and_handled, invariants.repeated_messages.NAME),
    Bug(messages.reordered, invariants.reordered_messages.NAME),
    Bug(histories.fired_early, invariants.early_timers.NAME),
    Bug(effects.lied, invariants.missing_effects.NAME),
    Bug(effects.applied_twice, invariants.repeated_effects.NAME),
    Bug(histories.restored, invariants.histories_gone_back.NAME),
    Bug(histories.fickle, invariants.determinism.NAME),
    Bug(histories.unlisted, invariants.visibility.NAME),
)
"""At least one of each invariant."""
