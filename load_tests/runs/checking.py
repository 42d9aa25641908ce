"""Where a run meets the checker: what it is given, and what of its report a run's verdict needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from load_tests.checker import Sampler, Sources, check
from load_tests.checker.observations import Sample
from load_tests.clients import Clients
from load_tests.models import Operation, OperationKind, Outcome
from load_tests.records import from_values
from load_tests.runs.judgement import Checked
from load_tests.stack import Target
from load_tests.workload.serving import WORKFLOWS
from worker.client import in_namespace
from worker.simulator.client import SimulatorClient
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment

_REASONS_MAX = 20
"""Of a run's verdict; the checker's own report has all."""
_FOLLOW_SECONDS = 1.0


async def check_run(
    target: Target, operations: Sequence[Operation], samples: Sequence[Sample] = ()
) -> tuple[Checked, dict[str, object]]:
    """Have the checker judge what was sent; return what it says, short and in full."""
    sent = [operation for operation in operations if operation.outcome is not Outcome.NOT_SENT]
    clients = await Clients.connect(target)
    async with aiohttp.ClientSession() as http:
        sources = Sources(
            clients={name: in_namespace(clients.user, name) for name in target.namespaces},
            workflows=(*WORKFLOWS, RouterDeployment, FleetRollout),
            simulator=SimulatorClient(http, target.routers_url),
        )
        report = await check(sources, sent, samples)
    found = [str(finding) for finding in report.findings]
    found += [f"not read: {unread.subject}: {unread.reason}" for unread in report.unread]
    if len(found) > _REASONS_MAX:
        found = [*found[:_REASONS_MAX], f"and {len(found) - _REASONS_MAX} more"]
    return Checked(report.verdict, tuple(found)), report.to_dict()


async def follow_starts(folder: Path, sampler: Sampler) -> None:
    """Have the sampler look at what the generator has started, until cancelled or it looks at enough."""
    offsets: dict[Path, int] = {}
    while True:
        await asyncio.sleep(_FOLLOW_SECONDS)
        for operation in _fresh(folder, offsets):
            if not sampler.watch(operation.namespace, operation.workflow_id, operation.run_id):
                return


def _fresh(folder: Path, offsets: dict[Path, int]) -> list[Operation]:
    """Return the starts acknowledged since the last look."""
    return [found for path in folder.glob("operations-*.jsonl") for found in _fresh_of(path, offsets)]


def _fresh_of(path: Path, offsets: dict[Path, int]) -> list[Operation]:
    """Return those of one process; a line not yet whole is left for the next look."""
    with path.open("rb") as file:
        file.seek(offsets.get(path, 0))
        text = file.read()
    whole, _, _ = text.rpartition(b"\n")
    offsets[path] = offsets.get(path, 0) + (len(whole) + 1 if whole else 0)
    found = [from_values(json.loads(line)) for line in whole.splitlines()]
    return [item for item in found if item.kind is OperationKind.START and item.outcome is Outcome.OK]
