"""The one record per tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from worker.tenancy import checks
from worker.tenancy.checks import TenancyError
from worker.tenancy.names import (
    RETENTION_DAYS_MAX,
    SHARED_POOL,
    SHARED_QUEUE,
    TENANT_NAME,
    TENANT_NAMESPACE_PREFIX,
)


class Urgency(StrEnum):
    """How soon a deployment's steps are handed to a worker, within its tenant's queue."""

    EMERGENCY = "emergency"
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def priority_key(self) -> int:
        """Temporal's priority key: 1 goes first, 3 is what work without a key gets, 5 goes last."""
        return {Urgency.EMERGENCY: 1, Urgency.NORMAL: 3, Urgency.BULK: 5}[self]


class Strategy(StrEnum):
    """How a tenant is kept apart from the others."""

    TASK_QUEUE = "task-queue"
    """A task queue of its own in the shared namespace, served by the shared workers."""
    NAMESPACE = "namespace"
    """A Temporal namespace of its own with its own retention, served by the shared workers."""
    DEDICATED_WORKERS = "dedicated-workers"
    """A task queue of its own in the shared namespace, served by a worker pool of its own."""
    SHARED_QUEUE = "shared-queue"
    """The one queue of all such tenants, taken from in turn by fairness key and weight: for very many small ones."""


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
    urgency: Urgency = Urgency.NORMAL
    """How soon its deployments' steps go, where a deployment does not say. Default `normal`."""
    weight: float = 1.0
    """Fairness weight, 0.001 to 1000 (Temporal's own range): a tenant of weight 2 gets twice the turns of one
    of weight 1 in a queue that both share. Default 1: all alike."""
    concurrency: int = 20
    """Steps of this tenant that one worker process runs at a time, 1 to 1000. Default 20: a step mostly waits
    for its router."""
    rate_per_second: float | None = None
    """Steps of this tenant that are handed out per second, over all workers, 0.01 to 100000. Default none.
    On the shared queue every tenant has one or none has, in proportion to the weights: Temporal knows one
    rate per unit of weight there."""
    moving_from: Strategy | None = None
    """The strategy that the tenant is leaving; its old lane is served until it is drained. Default none."""

    def __post_init__(self) -> None:
        if not TENANT_NAME.fullmatch(self.name):
            raise TenancyError(
                f"tenants: name {self.name!r} must be lower-case letters and digits, "
                "start with a letter and have at most 40 characters"
            )
        if self.name == SHARED_POOL:
            raise TenancyError(
                f"tenants: name {self.name!r} is taken by the shared worker pool; choose another"
            )
        where = f"tenants.{self.name}"
        self._set("strategy", checks.member(f"{where}.strategy", self.strategy, Strategy))
        self._set("urgency", checks.member(f"{where}.urgency", self.urgency, Urgency))
        self._set("weight", checks.number(f"{where}.weight", self.weight, 0.001, 1000))
        checks.whole(f"{where}.retention_days", self.retention_days, 1, RETENTION_DAYS_MAX, " of days")
        checks.whole(f"{where}.concurrency", self.concurrency, 1, 1000)
        if self.rate_per_second is not None:
            rate = checks.number(f"{where}.rate_per_second", self.rate_per_second, 0.01, 100_000)
            self._set("rate_per_second", rate)
        if self.moving_from is not None:
            self._set("moving_from", checks.member(f"{where}.moving_from", self.moving_from, Strategy))
        if self.moving_from is self.strategy:
            raise TenancyError(
                f"{where}.moving_from: {str(self.moving_from)!r} must be another strategy than the tenant has; "
                "leave it out when the move is done"
            )

    def _set(self, key: str, value: object) -> None:
        """Replace a value by its typed form, which a frozen record allows only while it is made."""
        object.__setattr__(self, key, value)

    @property
    def before_move(self) -> Tenant | None:
        """The tenant as it was before the move that is under way; None when it is not moving."""
        return replace(self, strategy=self.moving_from, moving_from=None) if self.moving_from else None

    @property
    def task_queue(self) -> str:
        """The queue on which this tenant's deployments run, in whatever namespace they run."""
        return self.task_queue_under(self.strategy)

    def task_queue_under(self, strategy: Strategy) -> str:
        """Return the queue that the tenant has, or had, under a strategy."""
        return SHARED_QUEUE if strategy is Strategy.SHARED_QUEUE else f"tenant-{self.name}-deployments"

    @property
    def fairness_key(self) -> str:
        """By which the server takes turns between tenants in a queue that they share."""
        return self.name

    @property
    def worker_pool(self) -> str:
        """The worker pool that serves this tenant: its own name for dedicated workers, else the shared one."""
        return self.name if self.strategy is Strategy.DEDICATED_WORKERS else SHARED_POOL

    def namespace(self, shared_namespace: str) -> str:
        """Return the Temporal namespace of this tenant's deployments."""
        return (
            f"{TENANT_NAMESPACE_PREFIX}{self.name}"
            if self.strategy is Strategy.NAMESPACE
            else shared_namespace
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return {
            key: str(value) if isinstance(value, StrEnum) else value for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tenant:
        """Build a tenant from plain values.

        Raises:
            TenancyError: On a missing or unknown key or a value that cannot be used.
        """
        name = checks.text("tenants: name", values.get("name"))
        checks.refuse_unknown(f"tenants.{name}", values, (field.name for field in fields(cls)))
        return cls(**values)
