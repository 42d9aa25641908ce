"""Temporal's own administration: namespaces, retention and search attributes, as plain values.

`observe` reads, `plan` decides (pure), `carry_out` writes. Everything may run twice and at the same time:
what somebody else has just done counts as done. The limits of task queues are in `worker.administration.queues`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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
    ListNamespacesRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.reconciliation import PATIENCE, Drift, ReconciliationError, settle, side_by_side
from worker.client import RPC_TIMEOUT, is_transient
from worker.tenancy import SEARCH_ATTRIBUTES, TENANT_NAME, TENANT_NAMESPACE_PREFIX, Namespace

_PAGE = 200
_KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


class NamespaceError(ReconciliationError):
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
        match Action(drift.action):
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


async def reconcile(client: Client, desired: Namespace, patience: timedelta = PATIENCE) -> tuple[Drift, ...]:
    """Bring one namespace to what is desired, wait until it is usable, and return what was done.

    Raises:
        ReconciliationError: When patience runs out or the difference cannot be mended.
        RPCError: For an error that trying again cannot mend.
    """

    async def look() -> tuple[Drift, ...]:
        missing = plan(desired, await observe(client, desired.name))
        if not missing:
            # A server that has not refreshed its cache refuses the attribute.
            await count_open(client, desired.name, f"{SEARCH_ATTRIBUTES[0]} = 'none'")
        return missing

    async def mend(drift: Drift) -> None:
        await carry_out(client, drift, desired)

    return await settle(look, mend, _may_pass, f"namespace {desired.name}: not usable", patience)


async def reconcile_all(
    client: Client,
    desired: Sequence[Namespace],
    patience: timedelta = PATIENCE,
    on_done: Callable[[], None] = lambda: None,
) -> tuple[Drift, ...]:
    """Bring all namespaces to what is desired, several at a time; return what was done.

    Args:
        client: A client of any namespace.
        desired: What there should be.
        patience: For each namespace, from when its turn has come.
        on_done: Called after each namespace.

    Raises:
        ReconciliationError: As `reconcile`, for the first that fails.
        RPCError: As `reconcile`.
    """
    results = await side_by_side(desired, lambda namespace: reconcile(client, namespace, patience), on_done)
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


async def left_over(client: Client, listed: Collection[str]) -> tuple[str, ...]:
    """Return the namespaces of tenants that the file no longer has; nothing ever deletes one."""
    found: list[str] = []
    token = b""
    while True:
        page = await client.workflow_service.list_namespaces(
            ListNamespacesRequest(page_size=_PAGE, next_page_token=token), retry=True, timeout=RPC_TIMEOUT
        )
        found += [item.namespace_info.name for item in page.namespaces]
        token = page.next_page_token
        if not token:
            return tuple(sorted(name for name in found if _is_a_tenants(name) and name not in listed))


def _is_a_tenants(namespace: str) -> bool:
    name = namespace.removeprefix(TENANT_NAMESPACE_PREFIX)
    return name != namespace and TENANT_NAME.fullmatch(name) is not None


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
