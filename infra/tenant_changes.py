"""Tenants whose lanes the settings would leave behind: nobody would serve what they still have open there.

A tenant leaves a lane (a queue in a Temporal namespace) when its record goes, when its strategy changes without
`moving_from`, or when `moving_from` goes. What lives is in the cluster's own tenants file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from infra import names
from infra.settings import Settings
from worker.tenancy import SHARED_POOL, Lane, TenancyError, Tenant, TenantsFile

_TIMEOUT_SECONDS = 60
_DRAINED, _OPEN = 0, 3
"""Exit codes of `python -m worker.tenants drain` that come with numbers."""


@dataclass(frozen=True)
class Departure:
    """A tenant that would leave lanes."""

    live: Tenant
    """Its record in the cluster."""
    wanted: Tenant | None
    """Its record in the settings; none when it is gone from them."""
    lanes: tuple[Lane, ...]
    """What it would leave."""


def departures(settings: Settings, live: str) -> list[Departure]:
    """Return the tenants of a live tenants file that the settings take lanes from."""
    try:
        there = TenantsFile.from_json(live)
    except TenancyError:
        # Spoilt by hand: this very update puts it right.
        return []
    file = settings.tenants_file()
    kept = {tenant.name: tenant for tenant in file.tenants}
    found: list[Departure] = []
    for tenant in there.tenants:
        wanted = kept.get(tenant.name)
        served = _lanes(file, wanted) if wanted else ()
        if left := tuple(lane for lane in _lanes(there, tenant) if lane not in served):
            found.append(Departure(tenant, wanted, left))
    return found


def _lanes(file: TenantsFile, tenant: Tenant) -> tuple[Lane, ...]:
    old = file.old_lane_of(tenant)
    return (file.lane_of(tenant), old) if old else (file.lane_of(tenant),)


def count_open(settings: Settings, departure: Departure, live: str) -> int | None:
    """Ask Temporal, through a worker's pod, what a tenant has open in the lanes it would leave.

    Args:
        settings: The stack's settings.
        departure: Who would leave what.
        live: Text of the cluster's tenants file. The pod is handed it, because its own copy is up to a minute old.

    Returns:
        Deployments and maintenance windows together; none if that cannot be asked.
    """
    exec_, *drain = _command(settings, "drain", departure.live.name)
    command = ["kubectl", "--context", settings.cluster.context, exec_, "--stdin", *drain]
    try:
        done = subprocess.run(
            [*command, "--json", "--file", "-"],
            input=live,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode not in (_DRAINED, _OPEN):
            return None
        report = cast("dict[str, Any]", json.loads(done.stdout))
        if "lanes" not in report:
            # A worker of an earlier release: its tenants do not move, so they have one lane.
            return int(report["open_deployments"])
        counts = {
            (lane["namespace"], lane["task_queue"]): int(lane["open_deployments"]) + int(lane["windows"])
            for lane in report["lanes"]
        }
        return sum(counts[lane.namespace, lane.task_queue] for lane in departure.lanes)
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None


def problems(settings: Settings, found: Sequence[tuple[Departure, int | None]]) -> list[str]:
    """Return one line for each tenant that may not leave yet.

    Args:
        settings: The stack's settings.
        found: Who would leave, with what it has open there; none where that is not known.
    """
    return [_line(settings, departure, count) for departure, count in found if count != 0]


def _line(settings: Settings, departure: Departure, count: int | None) -> str:
    name, wanted, live = departure.live.name, departure.wanted, departure.live
    why = "it cannot be seen whether any" if count is None else f"{count}"
    opened = f"but {why} of its deployments and windows are open"
    until = f"until `kubectl {' '.join(_command(settings, 'drain', name))}` says 0"
    if wanted is None:
        return f"tenants: {name} is gone from the list, {opened}: put it back {until}"
    left = ", ".join(map(str, departure.lanes))
    if wanted.strategy is not live.strategy:
        steps = " ".join(_command(settings, "move", name, "--to", str(wanted.strategy)))
        return (
            f"tenants.{name}.strategy: {wanted.strategy} leaves {left}, {opened} there: "
            f"add `moving_from: {live.strategy}`; `kubectl {steps}` says the steps"
        )
    if live.moving_from and wanted.moving_from is None:
        return (
            f"tenants.{name}.moving_from: without it nobody serves {left}, {opened} there: "
            f"put `{live.moving_from}` back {until}"
        )
    return f"tenants.{name}: the settings leave {left}, {opened} there: put them back {until}"


def _command(settings: Settings, *arguments: str) -> list[str]:
    return [
        "exec", f"--namespace={settings.cluster.namespace}", f"deployment/{names.pool(SHARED_POOL)}", "--",
        "python3", "-m", "worker.tenants", *arguments,
    ]  # fmt: skip
