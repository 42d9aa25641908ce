"""What a probe does: start a workflow that ends at once, and wait a second for the acknowledgement."""

from __future__ import annotations

from load_tests.clients import PROBE
from load_tests.scenarios.scenario import includes
from load_tests.scenarios.session import Due, Session
from load_tests.workload.quick import Quick, QuickInput


async def probe(session: Session, due: Due) -> None:
    """Send one probe. Each has a workflow id of its own, so together they reach every shard of the history."""
    token = str(due.number)
    await session.start(
        Quick.__name__,
        due.tenant,
        session.workflow_id(due.tenant, "probe", due.number),
        QuickInput(token),
        due=due,
        patience=PROBE,
        expected=includes({"token": token}),
    )
