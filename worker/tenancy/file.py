"""All tenants together: who has which namespace, and what each worker pool serves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from worker.tenancy import checks
from worker.tenancy.checks import TenancyError
from worker.tenancy.names import SHARED_POOL, SHARED_QUEUE
from worker.tenancy.places import Lane, Namespace
from worker.tenancy.tenant import Strategy, Tenant

WEIGHTS_MAX = 1000
"""Fairness weights other than 1 that the shared queue can hold: Temporal's limit for one queue
(`matching.maxFairnessKeyWeightOverrides`)."""


@dataclass(frozen=True)
class TenantsFile:
    """Everything the workers and `python -m worker.tenants` know about tenants.

    Raises:
        TenancyError: On construction, when names repeat, the shared namespace is not listed, or the shared
            queue cannot hold what its tenants ask for.
    """

    shared_namespace: str
    """The namespace of every tenant that has none of its own; one of `namespaces`."""
    namespaces: tuple[Namespace, ...]
    """Namespaces that exist whether or not a tenant uses them; names unique."""
    tenants: tuple[Tenant, ...]
    """Zero or more; names unique."""
    release: str = ""
    """Build id of the workers that should get new work; workers of another build wait. Default empty: any."""

    def __post_init__(self) -> None:
        checks.refuse_repeated("namespaces", [namespace.name for namespace in self.namespaces])
        checks.refuse_repeated("tenants", [tenant.name for tenant in self.tenants])
        listed = {namespace.name for namespace in self.namespaces}
        if self.shared_namespace not in listed:
            raise TenancyError(
                f"shared_namespace: {self.shared_namespace!r} must be one of namespaces: {', '.join(sorted(listed))}"
            )
        for name, tenant in self._own_namespaces():
            if name in listed:
                raise TenancyError(
                    f"namespaces: {name!r} belongs to tenant {tenant.name}; "
                    "leave it out, its retention is the tenant's"
                )
        _refuse_rates(self._tenants_of_shared_queue())
        _refuse_weights(self.shared_queue_weights())

    def all_namespaces(self) -> tuple[Namespace, ...]:
        """Return the listed namespaces, then those of the tenants that have, or are leaving, their own."""
        own = (Namespace(name, tenant.retention_days) for name, tenant in self._own_namespaces())
        return (*self.namespaces, *own)

    def _own_namespaces(self) -> list[tuple[str, Tenant]]:
        return [
            (placed.namespace(self.shared_namespace), tenant)
            for tenant in self.tenants
            for placed in placements(tenant)
            if placed.strategy is Strategy.NAMESPACE
        ]

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

    def lane_of(self, tenant: Tenant) -> Lane:
        """Return the lane of the tenant's new deployments."""
        return Lane(self.namespace_of(tenant), tenant.task_queue, (tenant,))

    def old_lane_of(self, tenant: Tenant) -> Lane | None:
        """Return the lane that the tenant is leaving.

        None when it is not moving, or when its lane stays and only the workers change.
        """
        before = tenant.before_move
        lane = self.lane_of(before) if before else None
        return None if lane == self.lane_of(tenant) else lane

    def pools(self) -> tuple[str, ...]:
        """Return the names of all worker pools: the shared one, then those of single tenants."""
        own = {placed.worker_pool for tenant in self.tenants for placed in placements(tenant)}
        return (SHARED_POOL, *sorted(own - {SHARED_POOL}))

    def served_by(self, pool: str) -> tuple[Tenant, ...]:
        """Return the tenants that the worker pool of that name serves, those that move away from it too."""
        return tuple(
            tenant for tenant in self.tenants if pool in {placed.worker_pool for placed in placements(tenant)}
        )

    def lanes(self, pool: str) -> tuple[Lane, ...]:
        """Return what the worker pool of that name serves, sorted, each lane once.

        Of a tenant that moves this has the old lane too: until it is drained, both are served.
        """
        users: dict[Lane, list[Tenant]] = {}
        for tenant in self.tenants:
            for placed in placements(tenant):
                if placed.worker_pool == pool:
                    users.setdefault(self.lane_of(placed), []).append(tenant)
        return tuple(Lane(lane.namespace, lane.task_queue, tuple(users[lane])) for lane in sorted(users))

    def lanes_led_by(self, pool: str) -> tuple[Lane, ...]:
        """Return those of a pool's lanes whose work is its own to do.

        Two pools serve a lane while its tenant gets, or gives up, workers of its own. The lane stays and only the
        workers change, so the new ones lead at once. A lane that is left for another stays with whom it had.
        """
        leaders: dict[Lane, str] = {}
        for tenant in self.tenants:
            for placed in reversed(placements(tenant)):
                leaders[self.lane_of(placed)] = placed.worker_pool
        return tuple(lane for lane in self.lanes(pool) if leaders[lane] == pool)

    def _tenants_of_shared_queue(self) -> tuple[Tenant, ...]:
        return tuple(tenant for tenant in self.tenants if tenant.strategy is Strategy.SHARED_QUEUE)

    def shared_queue_rate(self) -> float | None:
        """Return the steps per second and unit of weight that a tenant of the shared queue is handed, if limited.

        Temporal has one rate for all fairness keys of a queue and multiplies it by each key's weight.
        """
        return _rate_per_weight(self._tenants_of_shared_queue())

    def shared_queue_weights(self) -> dict[str, float]:
        """Return the fairness weights other than 1 of the shared queue, by fairness key."""
        return {
            tenant.fairness_key: tenant.weight
            for tenant in self.tenants
            for placed in placements(tenant)
            if placed.strategy is Strategy.SHARED_QUEUE and tenant.weight != 1
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, every field present."""
        return {
            "shared_namespace": self.shared_namespace,
            "namespaces": [namespace.to_dict() for namespace in self.namespaces],
            "tenants": [tenant.to_dict() for tenant in self.tenants],
            "release": self.release,
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
        checks.refuse_unknown("tenants file", values, (field.name for field in fields(cls)))
        return cls(
            shared_namespace=checks.text("shared_namespace:", values.get("shared_namespace")),
            namespaces=tuple(Namespace.from_dict(item) for item in checks.records(values, "namespaces")),
            tenants=tuple(Tenant.from_dict(item) for item in checks.records(values, "tenants")),
            release=checks.text("release:", values.get("release", "")),
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


def placements(tenant: Tenant) -> tuple[Tenant, ...]:
    """Return the tenant as it is and, while it moves, as it was."""
    before = tenant.before_move
    return (tenant, before) if before else (tenant,)


def _rate_per_weight(tenants: Iterable[Tenant]) -> float | None:
    rates = (item.rate_per_second / item.weight for item in tenants if item.rate_per_second is not None)
    return next(rates, None)


def _refuse_rates(tenants: tuple[Tenant, ...]) -> None:
    """Refuse rates that the shared queue cannot have at once.

    Raises:
        TenancyError: When one tenant is limited and another not, or the rates are not as the weights.
    """
    base = _rate_per_weight(tenants)
    for tenant in tenants if base is not None else ():
        wanted = (base or 0) * tenant.weight
        if tenant.rate_per_second is None or not math.isclose(tenant.rate_per_second, wanted, rel_tol=1e-6):
            raise TenancyError(
                f"tenants.{tenant.name}.rate_per_second: {tenant.rate_per_second} must be {wanted:g}, because "
                f"{SHARED_QUEUE} has one rate per unit of weight, {base:g} by the others; "
                "or choose another strategy"
            )


def _refuse_weights(weights: Mapping[str, float]) -> None:
    if len(weights) > WEIGHTS_MAX:
        raise TenancyError(
            f"tenants: {len(weights)} tenants of {SHARED_QUEUE} have a weight other than 1, and it can hold "
            f"{WEIGHTS_MAX}; give some weight 1 or a queue of their own"
        )
