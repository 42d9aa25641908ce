"""Recorded histories are replayed: a change that would break running deployments fails here."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from tests.worker.record_histories import ENDINGS, HISTORIES
from tests.worker.rollout_recordings import ROLLOUTS
from worker.models.deployment import DeploymentRequest, DeploymentResult, Phase
from worker.workflows.fleet_rollout import FleetRollout
from worker.workflows.router_deployment import RouterDeployment

NAMES = (
    *(f"router_deployment_{name}" for name in ENDINGS),
    *(f"fleet_rollout_{name}" for name in ROLLOUTS),
)


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


def test_there_is_a_history_of_every_ending() -> None:
    assert sorted(path.stem for path in HISTORIES.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_recorded_history_replays(name: str) -> None:
    replayer = Replayer(workflows=[RouterDeployment, FleetRollout])

    await replayer.replay_workflow(history(HISTORIES / f"{name}.json"))


@workflow.defn(name="RouterDeployment")
class Hasty:
    """A deployment that skips every step."""

    @workflow.run
    async def run(self, request: DeploymentRequest) -> DeploymentResult:
        return DeploymentResult(request.tenant, request.router, request.change_id, Phase.DEPLOYED, "1")


async def test_replay_notices_another_workflow() -> None:
    # Not in the sandbox, which would import this test module, and pytest with it, once more.
    replayer = Replayer(workflows=[Hasty], workflow_runner=UnsandboxedWorkflowRunner())

    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history(HISTORIES / "router_deployment_deployed.json"))


def test_histories_name_no_folder_of_the_recording_machine() -> None:
    assert [path.name for path in HISTORIES.glob("*.json") if '.py\\"' in path.read_text()] == []
