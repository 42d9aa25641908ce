"""Tenants: the one record per tenant, and every name that derives from it.

Standard library only, no I/O but `TenantsFile.load`: infrastructure, workers, load tests and drills all
import this module, so that a queue or a namespace is spelled in exactly one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

SHARED_POOL = "shared"
"""The worker pool that serves every tenant without workers of its own."""

SEARCH_ATTRIBUTES = ("Tenant", "Router", "Site", "Phase", "ChangeId")
"""Keyword search attributes that every namespace with deployments carries."""

RETENTION_DAYS_MAX = 365
"""Closed workflows older than a year belong in an archive, not in Temporal's database."""

_TENANT_NAME = re.compile(r"[a-z][a-z0-9]{0,39}")
_ROUTER_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_NAMESPACE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class TenancyError(ValueError):
    """A tenant record or file is wrong; the message is one line for people."""


class Strategy(StrEnum):
    """How a tenant is kept apart from the others."""

    TASK_QUEUE = "task-queue"
    """A task queue of its own in the shared namespace, served by the shared workers."""
    NAMESPACE = "namespace"
    """A Temporal namespace of its own with its own retention, served by the shared workers."""
    DEDICATED_WORKERS = "dedicated-workers"
    """A task queue of its own in the shared namespace, served by a worker pool of its own."""


@dataclass(frozen=True)
class Tenant:
    """One customer of the fleet. Adding a tenant is adding one of these.

    Raises:
        TenancyError: On construction, when a value cannot be used; the message names key, value and rule.
    """

    name: str
    """Lower-case letters and digits, starting with a letter, at most 40. No hyphen: names join this with
    hyphens (`deploy-<tenant>-<router>`), and two tenants must never spell the same workflow id."""
    strategy: Strategy = Strategy.TASK_QUEUE
    """Default `task-queue`: cheapest, and enough until a contract asks for more."""
    retention_days: int = 7
    """How long closed deployments stay readable, 1 to 365. Only a `namespace` tenant has a retention of
    its own. Default 7: a week covers a weekend and the Monday on which somebody asks."""

    def __post_init__(self) -> None:
        if not _TENANT_NAME.fullmatch(self.name):
            raise TenancyError(
                f"tenants: name {self.name!r} must be lower-case letters and digits, "
                "start with a letter and have at most 40 characters"
            )
        if self.name == SHARED_POOL:
            raise TenancyError(
                f"tenants: name {self.name!r} is taken by the shared worker pool; choose another"
            )
        if self.strategy not in set(Strategy):
            raise TenancyError(
                f"tenants.{self.name}.strategy: {self.strategy!r} is not one of {', '.join(Strategy)}"
            )
        object.__setattr__(self, "strategy", Strategy(self.strategy))
        _check_retention(f"tenants.{self.name}.retention_days", self.retention_days)

    @property
    def task_queue(self) -> str:
        """The queue on which this tenant's deployments run, in whatever namespace they run."""
        return f"tenant-{self.name}-deployments"

    @property
    def worker_pool(self) -> str:
        """The worker pool that serves this tenant: its own name for dedicated workers, else the shared one."""
        return self.name if self.strategy is Strategy.DEDICATED_WORKERS else SHARED_POOL

    def namespace(self, shared_namespace: str) -> str:
        """Return the Temporal namespace of this tenant's deployments."""
        return f"tenant-{self.name}" if self.strategy is Strategy.NAMESPACE else shared_namespace

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return {**asdict(self), "strategy": str(self.strategy)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tenant:
        """Build a tenant from plain values.

        Raises:
            TenancyError: On a missing or unknown key or a value that cannot be used.
        """
        name = values.get("name")
        if not isinstance(name, str):
            raise TenancyError(f"tenants: name {name!r} must be text")
        _refuse_unknown(f"tenants.{name}", values, (field.name for field in fields(cls)))
        return cls(**values)


@dataclass(frozen=True)
class Namespace:
    """A Temporal namespace that the stack asks for by name."""

    name: str
    """Lower-case letters, digits and inner hyphens, at most 63."""
    retention_days: int = 7
    """How long closed workflows stay readable, 1 to 365. Default 7, as for a tenant."""

    def __post_init__(self) -> None:
        if not _NAMESPACE_NAME.fullmatch(self.name):
            raise TenancyError(
                f"namespaces: name {self.name!r} must be lower-case letters, digits and inner hyphens, at most 63"
            )
        _check_retention(f"namespaces.{self.name}.retention_days", self.retention_days)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Namespace:
        """Build a namespace from plain values.

        Raises:
            TenancyError: On a missing or unknown key or a value that cannot be used.
        """
        name = values.get("name")
        if not isinstance(name, str):
            raise TenancyError(f"namespaces: name {name!r} must be text")
        _refuse_unknown(f"namespaces.{name}", values, (field.name for field in fields(cls)))
        return cls(**values)


@dataclass(frozen=True)
class TenantsFile:
    """Everything the workers and `python -m worker.tenants` know about tenants.

    Raises:
        TenancyError: On construction, when names repeat or the shared namespace is not listed.
    """

    shared_namespace: str
    """The namespace of every tenant that has none of its own; one of `namespaces`."""
    namespaces: tuple[Namespace, ...]
    """Namespaces that exist whether or not a tenant uses them; names unique."""
    tenants: tuple[Tenant, ...]
    """Zero or more; names unique."""

    def __post_init__(self) -> None:
        _refuse_repeated("namespaces", [namespace.name for namespace in self.namespaces])
        _refuse_repeated("tenants", [tenant.name for tenant in self.tenants])
        listed = {namespace.name for namespace in self.namespaces}
        if self.shared_namespace not in listed:
            raise TenancyError(
                f"shared_namespace: {self.shared_namespace!r} must be one of namespaces: {', '.join(sorted(listed))}"
            )
        for tenant in self.tenants:
            if tenant.strategy is Strategy.NAMESPACE and tenant.namespace(self.shared_namespace) in listed:
                raise TenancyError(
                    f"namespaces: {tenant.namespace(self.shared_namespace)!r} belongs to tenant {tenant.name}; "
                    "leave it out, its retention is the tenant's"
                )

    def all_namespaces(self) -> tuple[Namespace, ...]:
        """Return the listed namespaces, then those of the tenants that have their own."""
        own = (
            Namespace(tenant.namespace(self.shared_namespace), tenant.retention_days)
            for tenant in self.tenants
            if tenant.strategy is Strategy.NAMESPACE
        )
        return (*self.namespaces, *own)

    def tenant(self, name: str) -> Tenant:
        """Return one tenant by name.

        Raises:
            TenancyError: When there is none of that name.
        """
        for tenant in self.tenants:
            if tenant.name == name:
                return tenant
        known = ", ".join(tenant.name for tenant in self.tenants) or "none"
        raise TenancyError(f"tenant {name!r} is not known; known tenants: {known}")

    def namespace_of(self, tenant: Tenant) -> str:
        """Return the Temporal namespace in which the tenant's deployments run."""
        return tenant.namespace(self.shared_namespace)

    def served_by(self, pool: str) -> tuple[Tenant, ...]:
        """Return the tenants that the worker pool of that name serves."""
        return tuple(tenant for tenant in self.tenants if tenant.worker_pool == pool)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return {
            "shared_namespace": self.shared_namespace,
            "namespaces": [namespace.to_dict() for namespace in self.namespaces],
            "tenants": [tenant.to_dict() for tenant in self.tenants],
        }

    def to_json(self) -> str:
        """Return the file's text: stable order, so that an unchanged file is byte for byte the same."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TenantsFile:
        """Build the file from plain values.

        Raises:
            TenancyError: On a missing or unknown key or a value that cannot be used.
        """
        _refuse_unknown("tenants file", values, (field.name for field in fields(cls)))
        shared = values.get("shared_namespace")
        if not isinstance(shared, str):
            raise TenancyError(f"shared_namespace: {shared!r} must be text")
        return cls(
            shared_namespace=shared,
            namespaces=tuple(Namespace.from_dict(item) for item in _records(values, "namespaces")),
            tenants=tuple(Tenant.from_dict(item) for item in _records(values, "tenants")),
        )

    @classmethod
    def from_json(cls, text: str) -> TenantsFile:
        """Build the file from its text.

        Raises:
            TenancyError: When the text is not JSON, or as `from_dict`.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise TenancyError(f"tenants file is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise TenancyError(
                "tenants file must be one JSON object with shared_namespace, namespaces and tenants"
            )
        return cls.from_dict(cast("dict[str, Any]", values))

    @classmethod
    def load(cls, path: Path) -> TenantsFile:
        """Read the file.

        Raises:
            TenancyError: When it cannot be read, or as `from_json`; the message starts with the path.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise TenancyError(f"{path}: {error.strerror or error}") from error
        except (UnicodeDecodeError, TenancyError) as error:
            raise TenancyError(f"{path}: {error}") from error


def deployment_workflow_id(tenant: str, router: str) -> str:
    """Return the workflow id of a router's deployment.

    One id per router, so that Temporal itself allows one open deployment per router at a time.

    Raises:
        TenancyError: When the router's name cannot stand in a workflow id.
    """
    if not _ROUTER_NAME.fullmatch(router):
        raise TenancyError(
            f"router {router!r} must be lower-case letters, digits and inner hyphens or dots, at most 63"
        )
    return f"deploy-{tenant}-{router}"


def _check_retention(key: str, days: object) -> None:
    # A bool is an int in Python, and JSON's `true` must not mean one day.
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= RETENTION_DAYS_MAX:
        raise TenancyError(f"{key}: {days!r} must be a whole number of days from 1 to {RETENTION_DAYS_MAX}")


def _refuse_unknown(where: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    names = tuple(known)
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise TenancyError(f"{where}: unknown key {unknown[0]!r}; known keys: {', '.join(names)}")


def _refuse_repeated(where: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TenancyError(f"{where}: {repeated[0]!r} is listed twice; names must be unique")


def _records(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    records = values.get(key)
    if not isinstance(records, list):
        raise TenancyError(f"{key}: {records!r} must be a list")
    for record in cast("list[object]", records):
        if not isinstance(record, dict):
            raise TenancyError(f"{key}: {record!r} must be an object with a name")
    return cast("list[dict[str, Any]]", records)
