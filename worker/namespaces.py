"""Temporal's own administration: namespaces, retention and search attributes, as plain values.

`observe` reads, `plan` decides (pure), `carry_out` writes. Everything may run twice and at the same time:
what somebody else has just done counts as done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.client import RPC_TIMEOUT, is_transient
from worker.tenancy import SEARCH_ATTRIBUTES, Namespace

PATIENCE = timedelta(seconds=120)
"""Servers learn of a new namespace within about ten seconds; the rest is for a failover under way."""

_PAUSE_SECONDS = 0.5
_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


class NamespaceError(Exception):
    """A namespace cannot be brought to what the tenants file says; the message is one line for people."""


class Action(StrEnum):
    """What is missing."""

    CREATE_NAMESPACE = "create-namespace"
    SET_RETENTION = "set-retention"
    ADD_SEARCH_ATTRIBUTES = "add-search-attributes"


@dataclass(frozen=True)
class Observed:
    """A namespace as the server has it."""

    retention_days: float
    search_attributes: Mapping[str, int]
    """Type of each custom search attribute, as `IndexedValueType` numbers it."""


@dataclass(frozen=True)
class Drift:
    """One difference between the tenants file and the server."""

    namespace: str
    action: Action
    detail: str
    """For people: what is and what should be."""


def plan(desired: Namespace, observed: Observed | None) -> tuple[Drift, ...]:
    """Return what must be done, in order; nothing when all is as it should be.

    Raises:
        NamespaceError: When a search attribute exists with another type, which the server cannot change.
    """
    if observed is None:
        create = Drift(desired.name, Action.CREATE_NAMESPACE, f"retention {desired.retention_days} days")
        return (create, _add(desired.name, SEARCH_ATTRIBUTES))
    drift: list[Drift] = []
    if observed.retention_days != desired.retention_days:
        detail = f"retention {observed.retention_days:g} days, should be {desired.retention_days}"
        drift.append(Drift(desired.name, Action.SET_RETENTION, detail))
    for name in SEARCH_ATTRIBUTES:
        kind = observed.search_attributes.get(name, _KEYWORD)
        if kind != _KEYWORD:
            raise NamespaceError(
                f"namespace {desired.name}: search attribute {name} is {IndexedValueType.Name(_kind(kind))},"
                " should be a keyword; Temporal cannot change a type, so remove it there first"
            )
    missing = [name for name in SEARCH_ATTRIBUTES if name not in observed.search_attributes]
    if missing:
        drift.append(_add(desired.name, missing))
    return tuple(drift)


async def observe(client: Client, name: str) -> Observed | None:
    """Return the namespace as the server has it, or None when there is none."""
    try:
        described = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=name), retry=True, timeout=RPC_TIMEOUT
        )
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=name), retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    retention = described.config.workflow_execution_retention_ttl.ToTimedelta()
    return Observed(retention / timedelta(days=1), {**listed.custom_attributes})


async def carry_out(client: Client, drift: Drift, desired: Namespace) -> None:
    """Do one thing of the plan; that it is done already is no error."""
    retention = Duration()
    retention.FromTimedelta(timedelta(days=desired.retention_days))
    try:
        match drift.action:
            case Action.CREATE_NAMESPACE:
                await client.workflow_service.register_namespace(
                    RegisterNamespaceRequest(
                        namespace=desired.name, workflow_execution_retention_period=retention
                    ),
                    retry=True,
                    timeout=RPC_TIMEOUT,
                )
            case Action.SET_RETENTION:
                await client.workflow_service.update_namespace(
                    UpdateNamespaceRequest(
                        namespace=desired.name,
                        config=NamespaceConfig(workflow_execution_retention_ttl=retention),
                    ),
                    retry=True,
                    timeout=RPC_TIMEOUT,
                )
            case Action.ADD_SEARCH_ATTRIBUTES:
                await client.operator_service.add_search_attributes(
                    AddSearchAttributesRequest(
                        namespace=desired.name, search_attributes=dict.fromkeys(SEARCH_ATTRIBUTES, _KEYWORD)
                    ),
                    retry=True,
                    timeout=RPC_TIMEOUT,
                )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def reconcile(client: Client, desired: Namespace, patience: timedelta) -> tuple[Drift, ...]:
    """Bring one namespace to what is desired, wait until it is usable, and return what was done.

    A namespace just created is not known to every server at once, and one of several callers loses each
    race; both look like errors, so the loop of observing, planning and doing goes on until nothing is left.

    Raises:
        NamespaceError: When patience runs out or the difference cannot be mended.
        RPCError: For an error that trying again cannot mend.
    """
    done: dict[Action, Drift] = {}
    last: RPCError | None = None
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        try:
            missing = plan(desired, await observe(client, desired.name))
            if not missing:
                await count_open(client, desired.name, f"{SEARCH_ATTRIBUTES[0]} = 'none'")
                return tuple(done.values())
            for drift in missing:
                await carry_out(client, drift, desired)
                done.setdefault(drift.action, drift)
        except RPCError as error:
            if not _may_pass(error):
                raise
            last = error
        await asyncio.sleep(_PAUSE_SECONDS)
    raise NamespaceError(
        f"namespace {desired.name}: not usable after {patience.total_seconds():g} s"
        + (f"; last error: {last.message}" if last else "")
    )


async def reconcile_all(
    client: Client, desired: Sequence[Namespace], patience: timedelta = PATIENCE
) -> tuple[Drift, ...]:
    """Bring all namespaces to what is desired, side by side; return what was done.

    Raises:
        NamespaceError: As `reconcile`, for the first that fails.
        RPCError: As `reconcile`.
    """
    results = await asyncio.gather(*(reconcile(client, namespace, patience) for namespace in desired))
    return tuple(drift for result in results for drift in result)


async def is_usable(client: Client, name: str) -> bool:
    """Return whether deployments can run there: the namespace and its search attributes exist."""
    observed = await observe(client, name)
    return observed is not None and set(SEARCH_ATTRIBUTES) <= set(observed.search_attributes)


async def count_open(client: Client, namespace: str, query: str) -> int:
    """Return how many open workflows match; visibility may be a second behind."""
    answer = await client.workflow_service.count_workflow_executions(
        CountWorkflowExecutionsRequest(
            namespace=namespace, query=f"({query}) AND ExecutionStatus = 'Running'"
        ),
        retry=True,
        timeout=RPC_TIMEOUT,
    )
    return answer.count


def _add(namespace: str, names: Sequence[str]) -> Drift:
    return Drift(namespace, Action.ADD_SEARCH_ATTRIBUTES, f"search attributes missing: {', '.join(names)}")


def _kind(number: int) -> IndexedValueType.ValueType:
    return IndexedValueType.ValueType(number)


def _may_pass(error: RPCError) -> bool:
    # Right after its creation a namespace is not found, and its search attributes are invalid, on a server
    # that has not refreshed its cache.
    return is_transient(error) or error.status in {
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.FAILED_PRECONDITION,
    }
