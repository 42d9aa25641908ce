"""Kubernetes' objects, as JSON, to the watcher's records. Pure; what is not understood is left out, never guessed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from zone_watcher.model import Database, Instance, Pod, Sites, Witness

Json = Mapping[str, Any]

SERVICE_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice: the Service that it belongs to."""
WATCHER = "watcher"
"""Kind of witness that peers are."""
DATABASE = "database"
"""Kind of witness that the database's instances are."""

_HANDS_OFF = {
    "cnpg.io/reconciliationLoop": "disabled",
    "cnpg.io/hibernation": "on",
}
"""Annotations by which somebody tells CloudNativePG to leave a cluster alone."""
_FENCED = "cnpg.io/fencedInstances"


@dataclass(frozen=True)
class WitnessSource:
    """Where witnesses of one kind are found."""

    kind: str
    service: str
    """Service whose endpoints they are."""
    port: int
    """Asked whatever ports the Service has."""


@dataclass(frozen=True)
class _Endpoint:
    service: str
    zone: str
    node: str
    pod: str
    address: str
    is_ready: bool


def sites(
    slices: Iterable[Json], sources: Sequence[WitnessSource], zones: Sequence[str], own_address: str
) -> Sites:
    """Return what stands where.

    Args:
        slices: Items of a list of EndpointSlices.
        sources: Which Services count, the watchers' own and the database's among them.
        zones: Zones of the stack; endpoints elsewhere, or without a zone, are left out.
        own_address: Address of the asking pod.
    """
    by_service = {source.service: source for source in sources}
    found = [item for item in _endpoints(slices) if item.service in by_service and item.zone in zones]
    nodes: dict[str, set[str]] = defaultdict(set)
    witnesses: list[Witness] = []
    for item in found:
        source = by_service[item.service]
        nodes[item.zone].add(item.node)
        if item.address != own_address:
            witnesses.append(Witness(source.kind, item.zone, item.address, source.port))
    return Sites(
        witnesses=tuple(item for item in witnesses if item.kind != WATCHER),
        peers=tuple(item for item in witnesses if item.kind == WATCHER),
        instances=tuple(
            Instance(item.pod, item.zone, item.node, item.is_ready)
            for item in found
            if by_service[item.service].kind == DATABASE
        ),
        nodes={zone: frozenset(names) for zone, names in nodes.items()},
        own_zone=next((item.zone for item in found if item.address == own_address), None),
    )


def _endpoints(slices: Iterable[Json]) -> Iterable[_Endpoint]:
    for item in slices:
        service = str(_at(item, "metadata", "labels").get(SERVICE_LABEL, ""))
        for endpoint in _list(item.get("endpoints")):
            addresses = _texts(endpoint.get("addresses"))
            zone, node = endpoint.get("zone"), endpoint.get("nodeName")
            if addresses and zone and node:
                yield _Endpoint(
                    service=service,
                    zone=str(zone),
                    node=str(node),
                    pod=str(_at(endpoint, "targetRef").get("name", "")),
                    address=addresses[0],
                    # Absent means unknown, which the API says to take for ready; here it is not good enough.
                    is_ready=_at(endpoint, "conditions").get("ready") is True,
                )


def database(cluster: Json, now: datetime) -> Database:
    """Return what a CloudNativePG Cluster tells.

    Args:
        cluster: The custom resource.
        now: Time by the API server's clock, as the times in the object are.
    """
    spec, status = _at(cluster, "spec"), _at(cluster, "status")
    synchronous = _at(spec, "postgresql", "synchronous")
    outside = [*_texts(synchronous.get("standbyNamesPre")), *_texts(synchronous.get("standbyNamesPost"))]
    annotations = _at(cluster, "metadata", "annotations")
    is_paused = any(annotations.get(key) == value for key, value in _HANDS_OFF.items())
    return Database(
        primary=str(status.get("currentPrimary") or ""),
        target=str(status.get("targetPrimary") or ""),
        # `required` is the operator's default where commits wait for standbys at all.
        durability=str(synchronous.get("dataDurability") or "required") if synchronous else None,
        acknowledging=int(synchronous.get("number") or 0),
        standbys=int(spec.get("instances") or 0) - 1 + len(outside),
        is_managed=not is_paused and annotations.get(_FENCED, "[]") in ("", "[]"),
        seconds_since_promotion=_seconds_since(status.get("currentPrimaryTimestamp"), now),
    )


def pod(item: Json) -> Pod:
    """Return what a Pod tells."""
    metadata = _at(item, "metadata")
    return Pod(
        name=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        node=str(_at(item, "spec").get("nodeName") or ""),
        is_running=_at(item, "status").get("phase") == "Running",
    )


def renewal(lease: Json) -> str:
    """Return when a node last renewed its lease; compared for change only, so nobody's clock matters."""
    return str(_at(lease, "spec").get("renewTime") or "")


def _seconds_since(stamp: object, now: datetime) -> float | None:
    if not isinstance(stamp, str) or not stamp:
        return None
    try:
        return max(0.0, (now - datetime.fromisoformat(stamp)).total_seconds())
    except (ValueError, TypeError):
        # Not understood: as if it had been just now, so that nothing is done.
        return 0.0


def _at(item: Json, *keys: str) -> Json:
    for key in keys:
        value: object = item.get(key)
        item = cast("Json", value) if isinstance(value, Mapping) else {}
    return item


def _list(value: object) -> Sequence[Json]:
    return cast("Sequence[Json]", value) if isinstance(value, list) else ()


def _texts(value: object) -> Sequence[str]:
    return [str(item) for item in cast("Sequence[object]", value)] if isinstance(value, list) else ()
