"""Worker versioning: which build gets new work.

Every worker of a deployment name tells the server its build. New work, and the next task of what runs
already, goes to the build that is current: the one that the tenants file names as `release`, promoted by its
own workers as soon as they poll all their queues. So a rolling update first starts the new build, which waits;
once it is current the old build gets nothing more, and its pods end. Running deployments move along
(auto-upgrade): a plain rolling update takes every old pod away, and one that stayed with its build would wait
for ever. That they may is what the replay tests guard.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from temporalio.api.deployment.v1 import RoutingConfig
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from worker.client import RPC_TIMEOUT

_LOGGER = logging.getLogger(__name__)


def deployment_config(version: WorkerDeploymentVersion | None) -> WorkerDeploymentConfig | None:
    """Return how a worker presents itself; None: unversioned."""
    if version is None:
        return None
    return WorkerDeploymentConfig(
        version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE
    )


async def promote(
    client: Client,
    namespaces: Iterable[str],
    version: WorkerDeploymentVersion,
    *,
    keeps_unset: bool = False,
) -> bool:
    """Make the version current in each namespace; return whether it is in all.

    Any number of processes may do so at the same time, and again later: who finds it done does nothing, and
    of those who do it together one wins and the others find it done the next time. What fails is logged and
    left to the next time too, because a server that does not answer now will.

    Args:
        client: A client of any namespace.
        namespaces: Where.
        version: What.
        keeps_unset: Whether a deployment without a current version stays so.
    """
    done = [await _promote_in(client, name, version, keeps_unset) for name in sorted(set(namespaces))]
    return all(done)


async def current_build(client: Client, namespace: str, deployment_name: str) -> str:
    """Return which build of a deployment is current; empty when none is, or there is no such deployment.

    Raises:
        RPCError: When the server cannot be asked.
    """
    return (await _current(client, namespace, deployment_name))[0]


async def unset(client: Client, namespace: str, deployment_name: str) -> None:
    """Leave a deployment without a current version, so that its queues follow others that are current there.

    Raises:
        RPCError: When the server refuses, or somebody has changed it meanwhile.
    """
    build, token = await _current(client, namespace, deployment_name)
    if not build:
        return
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=namespace,
            deployment_name=deployment_name,
            conflict_token=token,
            identity=client.identity,
        ),
        timeout=RPC_TIMEOUT,
    )
    _LOGGER.info("build %s of %s is no longer current in %s", build, deployment_name, namespace)


async def _current(client: Client, namespace: str, deployment_name: str) -> tuple[str, bytes]:
    """Return the current build and the token by which a change is refused if somebody else was faster."""
    try:
        described = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=namespace, deployment_name=deployment_name),
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return "", b""
        raise
    routing = described.worker_deployment_info.routing_config
    return routing.current_deployment_version.build_id, described.conflict_token


async def _promote_in(
    client: Client, namespace: str, version: WorkerDeploymentVersion, keeps_unset: bool
) -> bool:
    try:
        described = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=namespace, deployment_name=version.deployment_name),
            timeout=RPC_TIMEOUT,
        )
        if _is_current(described.worker_deployment_info.routing_config, version):
            return True
        if keeps_unset and not described.worker_deployment_info.routing_config.HasField(
            "current_deployment_version"
        ):
            return False
        await client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=namespace,
                deployment_name=version.deployment_name,
                build_id=version.build_id,
                # Refused when somebody has changed it since we looked: then we look again.
                conflict_token=described.conflict_token,
                # A queue that the tenants file no longer has must not hold up the others' release.
                ignore_missing_task_queues=True,
                identity=client.identity,
            ),
            timeout=RPC_TIMEOUT,
        )
    except RPCError as error:
        _LOGGER.warning("build %s is not current in %s yet: %s", version.build_id, namespace, error.message)
        return False
    _LOGGER.info("build %s is now current in %s", version.build_id, namespace)
    return True


def _is_current(routing: RoutingConfig, version: WorkerDeploymentVersion) -> bool:
    current = routing.current_deployment_version
    return (current.deployment_name, current.build_id) == (version.deployment_name, version.build_id)
