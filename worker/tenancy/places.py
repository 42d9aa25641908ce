"""Where deployments run: Temporal namespaces, and the lanes that workers serve in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from worker.tenancy import checks
from worker.tenancy.checks import TenancyError
from worker.tenancy.names import RETENTION_DAYS_MAX
from worker.tenancy.tenant import Tenant

_NAMESPACE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


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
        key = f"namespaces.{self.name}.retention_days"
        checks.whole(key, self.retention_days, 1, RETENTION_DAYS_MAX, " of days")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Namespace:
        """Build a namespace from plain values.

        Raises:
            TenancyError: On a missing or unknown key or a value that cannot be used.
        """
        name = checks.text("namespaces: name", values.get("name"))
        checks.refuse_unknown(f"namespaces.{name}", values, (field.name for field in fields(cls)))
        return cls(**values)


@dataclass(frozen=True, order=True)
class Lane:
    """One queue in one namespace. Two lanes of the same address are equal, whoever uses them."""

    namespace: str
    task_queue: str
    tenants: tuple[Tenant, ...] = field(default=(), compare=False)
    """Who uses it, in the file's order: one tenant, or all of the shared queue. One that moves away counts
    until the move is done."""

    @property
    def concurrency(self) -> int:
        """Steps that its tenants together may run at a time in one worker process."""
        return sum(tenant.concurrency for tenant in self.tenants)

    def __str__(self) -> str:
        return f"{self.task_queue} in {self.namespace}"
