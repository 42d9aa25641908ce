"""Which changes need a new object. The API server is asked first; this table adds what pulumi-kubernetes decides itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from lab.provider.objects import group_of, kind_of
from lab.provider.values import Object

REPLACED_BY_RULE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "ConfigMap"): ("data", "binaryData"),
    ("", "Secret"): ("data", "stringData", "type"),
    ("", "PersistentVolumeClaim"): ("spec",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}
"""Fields pulumi-kubernetes replaces for, also where the API server would update. Source: provider/pkg/provider/diff.go, v4."""

IDENTITY_PATHS = ("apiVersion", "kind", "metadata.name", "metadata.namespace")


def below(path: str, fields: Iterable[str]) -> bool:
    """Tell whether a property path is one of the fields, inside one, or around one."""
    return any(path == field or is_inside(path, field) or is_inside(field, path) for field in fields)


def is_inside(path: str, field: str) -> bool:
    """Tell whether a path goes through a field."""
    return path.startswith(field) and path[len(field) : len(field) + 1] in (".", "[")


def ruled(obj: Object, changed: Collection[str], mutable: Collection[str]) -> list[str]:
    """Return the changed paths for which pulumi-kubernetes replaces the object.

    Args:
        obj: the object as asked for.
        changed: property paths.
        mutable: kinds (`ConfigMap`, `Secret`) that the provider's options let change in place.
    """
    group, kind = kind_of(obj)
    if kind in mutable and not group:
        return []
    fields = REPLACED_BY_RULE.get((group, kind), ())
    return [path for path in changed if below(path, fields)]


def may_ask(obj: Object) -> bool:
    """Tell whether a refused update may mean a replacement.

    Only for Kubernetes' own kinds: a custom resource's webhook also refuses what must never be answered with a new
    object, such as shrinking a database's volume. pulumi-kubernetes replaces those for a new name only.
    """
    group = group_of(obj)
    return "." not in group or group.endswith(".k8s.io")
