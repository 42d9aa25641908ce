"""Which worker pools a stack has: the shared one, and one for each tenant with workers of its own. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from infra.settings import Settings
from infra.settings.temporal import Resources
from infra.settings.workers import Guaranteed
from worker.tenancy import SHARED_POOL

_DEFAULT_LOGIN = "default"
"""What a router's record means that names no credentials (`worker.routers.credentials.DEFAULT`)."""


@dataclass(frozen=True)
class Pool:
    """The workers of one pool."""

    name: str
    """`shared`, or the name of the one tenant that they serve."""
    replicas: int
    resources: Resources | Guaranteed
    """Per pod; guaranteed where a tenant has the pool for itself."""
    queues: Mapping[str, int]
    """Number of task queues that each pod polls, by Temporal namespace."""
    credentials: Mapping[str, str]
    """Kubernetes Secret by the name that inventory records call it: those of the routers of its tenants and no
    others, so that one customer's workers cannot log in to another's routers."""


def pools_of(settings: Settings) -> tuple[Pool, ...]:
    """Return a stack's pools, the shared one first.

    A tenant that is leaving its own workers keeps them, and one that moves to its own has both, until the move
    is done.
    """
    file, workers = settings.tenants_file(), settings.workers
    found: list[Pool] = []
    for name in file.pools():
        lanes = file.lanes(name)
        own = workers if name == SHARED_POOL else workers.dedicated.tenants.get(name, workers.dedicated)
        found.append(
            Pool(
                name=name,
                replicas=own.replicas,
                resources=own.resources,
                queues=Counter(lane.namespace for lane in lanes),
                credentials=_credentials(settings, {t.name for lane in lanes for t in lane.tenants}),
            )
        )
    return tuple(found)


def _credentials(settings: Settings, tenants: set[str]) -> dict[str, str]:
    used = {
        router.credentials or _DEFAULT_LOGIN
        for router in settings.workers.inventory
        if router.tenant in tenants
    }
    return {name: secret for name, secret in settings.workers.credentials_secret.items() if name in used}
