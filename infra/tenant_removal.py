"""Tenants that live in the cluster and are gone from the settings: nobody would serve what they have open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any, cast

from infra import names
from infra.settings import Settings
from worker.tenancy import SHARED_POOL, TenancyError, TenantsFile

_TIMEOUT_SECONDS = 60
_DRAINED, _OPEN = 0, 3
"""Exit codes of `python -m worker.tenants drain` that come with a number."""


def removed(settings: Settings, live: str) -> list[str]:
    """Return the tenants of a live tenants file that the settings no longer have."""
    try:
        there = TenantsFile.from_json(live).tenants
    except TenancyError:
        # Spoilt by hand: this very update puts it right.
        return []
    kept = {tenant.name for tenant in settings.tenants}
    return [tenant.name for tenant in there if tenant.name not in kept]


def count_open(settings: Settings, tenant: str) -> int | None:
    """Ask Temporal, through a worker's pod, how many deployments a tenant has open; none if it cannot be asked."""
    command = ["kubectl", "--context", settings.cluster.context, *_drain(settings, tenant), "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        if done.returncode not in (_DRAINED, _OPEN):
            return None
        return int(cast("dict[str, Any]", json.loads(done.stdout))["open_deployments"])
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None


def problems(settings: Settings, open_deployments: Mapping[str, int | None]) -> list[str]:
    """Return one line for each removed tenant that may not go yet.

    Args:
        settings: The stack's settings.
        open_deployments: How many deployments each removed tenant has open; none where that is not known.
    """
    found: list[str] = []
    for tenant, count in open_deployments.items():
        if count != 0:
            why = "it cannot be seen whether" if count is None else f"{count} of"
            found.append(
                f"tenants: {tenant} is gone from the list, but {why} its deployments are open: put it back until "
                f"`kubectl {' '.join(_drain(settings, tenant))}` says 0"
            )
    return found


def _drain(settings: Settings, tenant: str) -> list[str]:
    return [
        "exec", f"--namespace={settings.cluster.namespace}", f"deployment/{names.pool(SHARED_POOL)}", "--",
        "python3", "-m", "worker.tenants", "drain", tenant,
    ]  # fmt: skip
