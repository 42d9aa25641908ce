"""Settings trees and an operator manifest to test with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pulumi

from infra.program import Release, deploy
from infra.settings import Settings, parse
from tests.infra.recorder import Recording, record

TREE: dict[str, Any] = {
    "cluster": {"context": "test", "zones": ["a", "b", "c"]},
    "temporal": {
        "history_shards": 32,
        "namespaces": [{"name": "production"}],
        "shared_namespace": "production",
    },
    "persistence": {"kind": "postgres", "postgres": {"storage_size": "1Gi"}},
    "workers": {"routers_url": "http://routers:7480"},
    "tenants": [{"name": "chogar"}],
}
"""The least that a stack has to say."""

EXTERNAL: dict[str, Any] = {
    "kind": "external",
    "external": {
        "default": {
            "address": "db.example.net:5432",
            "database": "temporal",
            "user": "temporal",
            "password_secret": {"name": "db-default"},
        },
        "visibility": {
            "address": "search.example.net:6432",
            "database": "visibility",
            "user": "searcher",
            "password_secret": {"name": "db-visibility", "key": "word"},
            "is_transaction_pooled": True,
            "tls": {
                "is_enabled": True,
                "server_name": "db",
                "ca_secret": {"name": "db-ca", "key": "ca.crt"},
            },
        },
    },
}
"""Stores that somebody else runs, one plain and one with everything."""

MANIFEST: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cnpg-system"}},
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusters.postgresql.cnpg.io"},
        "spec": {"group": "postgresql.cnpg.io"},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "cnpg-webhook-service", "namespace": "cnpg-system"},
        "spec": {"ports": [{"port": 443}]},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "cnpg-manager-rolebinding"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cnpg-manager"},
        "subjects": [],
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "cnpg-mutating-webhook-configuration"},
        "webhooks": [],
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cnpg-controller-manager", "namespace": "cnpg-system"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "cloudnative-pg"}},
                "spec": {
                    "serviceAccountName": "cnpg-manager",
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [
                        {
                            "name": "manager",
                            "image": "ghcr.io/cloudnative-pg/cloudnative-pg:1.28.1",
                            "imagePullPolicy": "Always",
                            "command": ["/manager"],
                            "env": [
                                {
                                    "name": "OPERATOR_IMAGE_NAME",
                                    "value": "ghcr.io/cloudnative-pg/cloudnative-pg:1.28.1",
                                }
                            ],
                            "resources": {"limits": {"cpu": "100m"}},
                            "startupProbe": {"httpGet": {"path": "/readyz", "port": 9443}},
                            "livenessProbe": {"httpGet": {"path": "/readyz", "port": 9443}},
                            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 9443}},
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                                "readOnlyRootFilesystem": True,
                                "runAsUser": 10001,
                                "seccompProfile": {"type": "RuntimeDefault"},
                            },
                        }
                    ],
                },
            },
        },
    },
]
"""An operator manifest in small: one object of each kind that is treated differently."""

KEYRING = json.dumps({"current": "k1", "keys": {"k1": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}})
"""A keyring, as a stack's encrypted configuration would hold it."""

RELEASE = Release(worker_tag="src-0123456789ab", watcher_tag="src-ba9876543210", operator_manifest=MANIFEST)
"""What is deployed in tests."""


def tree(change: Callable[[dict[str, Any]], object] | None = None) -> dict[str, Any]:
    """Return a fresh settings tree, changed in place by `change`."""
    values = copy.deepcopy(TREE)
    if change:
        change(values)
    return values


def settings(change: Callable[[dict[str, Any]], object] | None = None) -> Settings:
    """Return settings made of a changed tree."""
    return parse(tree(change))


def external(values: dict[str, Any]) -> None:
    """Change a tree to stores that somebody else runs."""
    values["persistence"] = copy.deepcopy(EXTERNAL)


def deployed(stack: Settings) -> Recording:
    """Record what a stack declares."""

    def program() -> None:
        from infra import outputs

        keys = pulumi.Output.secret(KEYRING) if stack.payload_keys else None
        outputs.export(deploy(stack, RELEASE, keys))

    return record(program)


def encrypted(values: dict[str, Any]) -> None:
    """Change a tree to a stack with a keyring of its own."""
    values["payload_keys"] = "(secret)"


def kubeconfig_text() -> str:
    """Return a kubeconfig whose context `test` leads to a port that nobody listens on."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": {"token": "none"}}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        }
    )
