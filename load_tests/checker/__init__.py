"""Judges a run by what the store holds of its workflows: nothing lost, nothing twice, nothing wrong.

    report = await check(sources, operations, sampler.samples)

`observe` reads (the only part that talks to servers), `invariants` decide (pure), `report` sums up. What the
checker counts on from scenarios: a start's `Operation.key` is its request id, its `expected` comes from
`expectations`, and tokens of messages and the result that lists them are as in `tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence

from load_tests.checker.observations import Sample
from load_tests.checker.observe import observe
from load_tests.checker.report import Report, judge
from load_tests.checker.sampler import Sampler
from load_tests.checker.sources import Sources
from load_tests.models import Operation

__all__ = ["Report", "Sampler", "Sources", "check", "judge", "observe"]


async def check(sources: Sources, operations: Sequence[Operation], samples: Sequence[Sample] = ()) -> Report:
    """Read what became of the operations and judge it.

    Args:
        sources: The stores.
        operations: All of the run.
        samples: What a `Sampler` saw during the run.

    Raises:
        LoadTestError: When an operation names a namespace without a client, or expects what is no JSON.
    """
    return judge(await observe(sources, operations, samples), operations)
