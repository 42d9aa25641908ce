"""What a probe starts: a workflow that ends at once."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow


@dataclass(frozen=True)
class QuickInput:
    """Input of `Quick`."""

    token: str


@dataclass(frozen=True)
class QuickOutput:
    """Output of `Quick`."""

    token: str


@workflow.defn
class Quick:
    """Returns the token it was given."""

    @workflow.run
    async def run(self, quick: QuickInput) -> QuickOutput:
        """End at once."""
        return QuickOutput(quick.token)
