"""What must hold after workers were killed: by the report, the routers' ledger, the histories and the logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from worker.models.rollout import Ending, RolloutPhase, RolloutReport
from worker.simulator.store import Entry, Kind, Outcome
from worker.tenancy import deployment_workflow_id
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment

_MISFITS = ("Nondeterminism", "TMPRL1100")
"""How the SDK's log speaks of a history that does not fit the workflow's code."""


def ending_faults(routers: Sequence[str], undone: Collection[str], report: RolloutReport) -> list[str]:
    """Return what the report says that should not be, one line each.

    Args:
        routers: Of the rollout.
        undone: Those that had to be rolled back; all others had to be deployed.
        report: The rollout's.
    """
    faults: list[str] = []
    for router in routers:
        expected = Ending.ROLLED_BACK if router in undone else Ending.DEPLOYED
        if report.endings.get(router) is not expected:
            faults.append(f"{router}: {report.endings.get(router)}, should be {expected}")
    if report.outcome is not RolloutPhase.COMPLETED:
        faults.append(f"rollout: {report.outcome}, should be completed")
    return faults


def ledger_faults(routers: Sequence[str], undone: Collection[str], entries: Iterable[Entry]) -> list[str]:
    """Return what was done to the routers that should not have been, one line each.

    Repetitions that a router recognised are as it should be: a step is tried again because nobody knows
    whether it was done.
    """
    done = {router: list[str]() for router in routers}
    for entry in entries:
        if entry.outcome is not Outcome.DUPLICATE:
            done.setdefault(entry.router, []).append(f"{entry.kind} {entry.outcome}")
    faults: list[str] = []
    for router, steps in done.items():
        last = Kind.ROLLBACK if router in undone else Kind.CONFIRM
        expected = [f"{kind} {Outcome.APPLIED}" for kind in (Kind.APPLY, last)]
        if steps != expected:
            faults.append(f"{router}: {', '.join(steps) or 'nothing'}, should be {', '.join(expected)}")
    return faults


def log_faults(log: Path) -> list[str]:
    """Return the lines in which a worker says that a history does not fit its workflow."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [f"{log.stem}: {line}" for line in lines if any(misfit in line for misfit in _MISFITS)]


async def rollout_histories(client: Client, rollout_id: str, run_id: str) -> list[WorkflowHistory]:
    """Return the histories of a rollout's runs, from the first run on."""
    histories: list[WorkflowHistory] = []
    while run_id:
        histories.append(await client.get_workflow_handle(rollout_id, run_id=run_id).fetch_history())
        last = histories[-1].events[-1].workflow_execution_continued_as_new_event_attributes
        run_id = last.new_execution_run_id
    return histories


async def replay_faults(
    client: Client, rollout: Sequence[WorkflowHistory], tenant: str, routers: Sequence[str]
) -> list[str]:
    """Replay every run of the rollout and every deployment; return those that do not fit, one line each."""

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for history in rollout:
            yield history
        for router in routers:
            yield await client.get_workflow_handle(deployment_workflow_id(tenant, router)).fetch_history()

    replayer = Replayer(
        workflows=[FleetRollout, RouterDeployment],
        # The sandbox guards against what a workflow does while it runs; here it would only cost time.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    results = await replayer.replay_workflows(histories(), raise_on_replay_failure=False)
    return [f"replay of run {run}: {failure}" for run, failure in results.replay_failures.items()]
