"""Who predicts a drill, and who tells from its probes what was so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetClusterInfoRequest
from temporalio.service import RPCError

from load_tests.clients import Clients
from load_tests.drills.prediction import Expected
from load_tests.errors import LoadTestError
from load_tests.models import Operation
from load_tests.stack import Target


class Outlook(Protocol):
    """Asked before the fault is injected, and again after it. Calls may take their time."""

    async def expected(self, fault: str, parameters: Mapping[str, str]) -> Expected | None:
        """Return what a fault should cost; None: nobody knows."""
        ...

    async def observed_share(
        self, operations: Iterable[Operation], since: float, until: float
    ) -> float | None:
        """Return which part of the shards was out between two times; None: it cannot be told."""
        ...


class NoOutlook:
    """Knows nothing."""

    async def expected(self, fault: str, parameters: Mapping[str, str]) -> Expected | None:  # noqa: ARG002
        """See `Outlook`."""
        return None

    async def observed_share(
        self,
        operations: Iterable[Operation],  # noqa: ARG002
        since: float,  # noqa: ARG002
        until: float,  # noqa: ARG002
    ) -> float | None:
        """See `Outlook`."""
        return None


@dataclass(frozen=True)
class Shards:
    """What one has to know to tell a workflow's shard.

    Attributes:
        count: Of the history.
        namespace_ids: By name of the Temporal namespace.
    """

    count: int
    namespace_ids: Mapping[str, str]


Predict = Callable[[str, Mapping[str, str]], Expected]
"""Returns what a fault with these parameters should cost; may look at the cluster."""
ObservedShare = Callable[[Iterable[Operation], Mapping[str, str], int, float, float], float | None]
"""Returns which part of the shards was out, from operations, namespace ids, number of shards, since and until."""


class LiveOutlook:
    """Predicts for a stack that is up."""

    def __init__(self, target: Target, predict: Predict, observed_share: ObservedShare) -> None:
        self._target, self._predict, self._observed_share = target, predict, observed_share

    async def expected(self, fault: str, parameters: Mapping[str, str]) -> Expected | None:
        """See `Outlook`."""
        return await asyncio.to_thread(self._predict, fault, parameters)

    async def observed_share(
        self, operations: Iterable[Operation], since: float, until: float
    ) -> float | None:
        """See `Outlook`."""
        shards = await read_shards(self._target)
        return self._observed_share(operations, shards.namespace_ids, shards.count, since, until)


async def read_shards(target: Target) -> Shards:
    """Ask Temporal for the number of shards and the ids of the namespaces.

    Raises:
        LoadTestError: When it does not answer.
    """
    # Where the teams connect: a zone's load balancer may have another address since a fault.
    service = (await Clients.connect(replace(target, zone_addresses={}))).user.workflow_service
    ids: dict[str, str] = {}
    try:
        info = await service.get_cluster_info(GetClusterInfoRequest())
        for name in target.namespaces:
            found = await service.describe_namespace(DescribeNamespaceRequest(namespace=name))
            ids[name] = found.namespace_info.id
    except RPCError as error:
        raise LoadTestError(f"stack {target.stack}: shards and namespaces: {error}") from error
    return Shards(info.history_shard_count, ids)
