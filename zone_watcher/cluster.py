"""What the watcher reads of the API server, and the one thing that it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from zone_watcher import objects
from zone_watcher.api import Api
from zone_watcher.errors import ApiError
from zone_watcher.model import Database, Pod, Sites
from zone_watcher.objects import WitnessSource

NODE_LEASES = "kube-node-lease"
"""Namespace of the nodes' leases."""
_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True)
class Cluster:
    """The parts of a Kubernetes cluster that matter here."""

    api: Api
    namespace: str
    zones: Sequence[str]
    sources: Sequence[WitnessSource]
    database_name: str
    own_address: str

    def sites(self) -> Sites:
        """Return what stands where.

        Raises:
            ApiError: It could not be read.
        """
        names = ",".join(source.service for source in self.sources)
        selector = quote(f"{objects.SERVICE_LABEL} in ({names})")
        path = (
            f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices?labelSelector={selector}"
        )
        items = cast("Sequence[Mapping[str, Any]]", self.api.get(path).body.get("items") or ())
        return objects.sites(items, self.sources, self.zones, self.own_address)

    def database(self) -> Database:
        """Return the database.

        Raises:
            ApiError: It could not be read.
        """
        path = f"/apis/postgresql.cnpg.io/v1/namespaces/{self.namespace}/clusters/{self.database_name}"
        answer = self.api.get(path)
        return objects.database(answer.body, answer.time)

    def pod(self, name: str) -> Pod | None:
        """Return a pod; None: there is none.

        Raises:
            ApiError: It could not be read.
        """
        try:
            return objects.pod(self.api.get(self._pod(name)).body)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def renewal(self, node: str) -> str:
        """Return when a node last renewed its lease.

        Raises:
            ApiError: It could not be read.
        """
        path = f"/apis/coordination.k8s.io/v1/namespaces/{NODE_LEASES}/leases/{node}"
        return objects.renewal(self.api.get(path).body)

    def delete(self, name: str, uid: str) -> bool:
        """Delete a pod by force, if it is the one with this UID; False: it is gone already.

        Raises:
            ApiError: It was refused for another reason, or nobody answered.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid},
        }
        try:
            self.api.delete(self._pod(name), options)
        except ApiError as error:
            if error.status in (_NOT_FOUND, _CONFLICT):
                return False
            raise
        return True

    def _pod(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{name}"
