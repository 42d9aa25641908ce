"""What depends on settings in the declared stack: order, tenants, kinds of persistence, cloud knobs."""

from __future__ import annotations

from typing import Any

import pytest

from infra import manifests
from infra.components.cloudnative_pg import adapt
from infra.components.placement import Placement
from tests.infra.recorder import Recorded, Recording
from tests.infra.support import MANIFEST, deployed, external, settings


@pytest.fixture(scope="module")
def recording() -> Recording:
    return deployed(settings())


@pytest.fixture(scope="module")
def outside() -> Recording:
    return deployed(settings(external))


def before(recording: Recording, resource: Recorded) -> set[str]:
    """Return the types of everything that is created before a resource, and deleted after it."""
    by_urn = {found.urn: found for found in recording.resources}
    seen: set[str] = set()
    waiting = [resource.urn]
    while waiting:
        found = by_urn.get(waiting.pop())
        if found is None or found.urn in seen:
            continue
        seen.add(found.urn)
        waiting += [*found.dependencies, found.parent]
    return {f"{by_urn[urn].type.rpartition(':')[2]} {by_urn[urn].name}" for urn in seen - {resource.urn}}


def test_no_server_starts_before_the_schema_is_there(recording: Recording) -> None:
    for deployment in recording.of_kind("Deployment"):
        if deployment.name.removeprefix("temporal-") in {"frontend", "history", "matching", "worker"}:
            assert {
                "Job temporal-schema",
                "Cluster postgres",
                "Deployment cloudnative-pg-deployment-cnpg-controller-manager",
                "CustomResourceDefinition cloudnative-pg-customresourcedefinition-clusters.postgresql.cnpg.io",
                "Namespace temporal",
                "ConfigMap temporal-server",
                "ConfigMap temporal-dynamic",
            } <= before(recording, deployment)


def test_workers_start_when_their_tenants_are_known_to_temporal(recording: Recording) -> None:
    (workers,) = [found for found in recording.of_kind("Deployment") if found.name == "worker-shared"]

    assert {"Job tenants", "Deployment temporal-balancer", "Deployment temporal-history"} <= before(
        recording, workers
    )


def test_the_operator_finds_its_webhooks_when_it_starts(recording: Recording) -> None:
    (operator,) = [found for found in recording.of_kind("Deployment") if found.name.startswith("cloudnative")]

    assert (
        "MutatingWebhookConfiguration cloudnative-pg-mutatingwebhookconfiguration-cnpg-mutating-webhook-configuration"
    ) in before(recording, operator)


def test_configuration_maps_change_in_place(recording: Recording) -> None:
    (provider,) = recording.of_kind("kubernetes")

    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert provider.inputs["enableSecretMutable"] == "true"


def test_external_stores_need_neither_postgres_nor_operator(outside: Recording) -> None:
    kinds = {found.type.rpartition(":")[2] for found in outside.resources}

    assert kinds.isdisjoint({"Cluster", "Pooler", "CustomResourceDefinition", "CloudNativePg"})
    assert outside.exports["persistence"] == {
        "kind": "external",
        "survives": {"zones": None, "instances": None},
    }


def test_servers_get_the_references_of_external_stores(outside: Recording) -> None:
    pod = outside.named("Deployment", "temporal-history")["spec"]["template"]["spec"]
    variables = {found["name"]: found for found in pod["containers"][0]["env"]}

    assert variables["DEFAULT_STORE_PASSWORD"]["valueFrom"] == {
        "secretKeyRef": {"name": "db-default", "key": "password"}
    }
    assert variables["VISIBILITY_STORE_PASSWORD"]["valueFrom"] == {
        "secretKeyRef": {"name": "db-visibility", "key": "word"}
    }
    assert {"name": "ca-visibility", "secret": {"secretName": "db-ca"}} in pod["volumes"]


def test_an_existing_operator_is_left_alone() -> None:
    found = deployed(settings(lambda tree: tree.update(operators={"install": False})))

    assert found.of_kind("CloudNativePg") == []
    assert len(found.of_kind("Cluster")) == 1


def test_tenants_come_out_by_strategy() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["tenants"] = [
            {"name": "chogar"},
            {"name": "amovil", "strategy": "namespace", "retention_days": 30},
            {"name": "afijo", "strategy": "dedicated-workers"},
            {"name": "piloto", "strategy": "shared-queue"},
        ]

    found = deployed(settings(change))

    assert found.exports["tenants"] == {
        "chogar": {
            "strategy": "task-queue",
            "namespace": "production",
            "task_queue": "tenant-chogar-deployments",
            "workers": "worker-shared",
        },
        "amovil": {
            "strategy": "namespace",
            "namespace": "tenant-amovil",
            "task_queue": "tenant-amovil-deployments",
            "workers": "worker-shared",
        },
        "afijo": {
            "strategy": "dedicated-workers",
            "namespace": "production",
            "task_queue": "tenant-afijo-deployments",
            "workers": "worker-afijo",
        },
        "piloto": {
            "strategy": "shared-queue",
            "namespace": "production",
            "task_queue": "shared-deployments",
            "workers": "worker-shared",
        },
    }
    assert found.exports["temporal_namespaces"] == ["production", "tenant-amovil"]
    assert {item.name for item in found.of_kind("WorkerPool")} == {"worker-shared", "worker-afijo"}


def test_a_new_tenant_runs_the_reconcile_job_again_and_no_pod_restarts(recording: Recording) -> None:
    more = deployed(settings(lambda tree: tree["tenants"].append({"name": "amovil"})))

    assert job_name(more, "tenants") != job_name(recording, "tenants")
    assert job_name(more, "temporal-schema") == job_name(recording, "temporal-schema")
    assert more.named("Deployment", "worker-shared") == recording.named("Deployment", "worker-shared")
    assert more.named("Deployment", "temporal-frontend") == recording.named("Deployment", "temporal-frontend")


def test_another_server_version_runs_the_schema_job_again(recording: Recording) -> None:
    newer = deployed(settings(lambda tree: tree.update(images={"temporal_admin_tools": {"tag": "1.33.0"}})))

    assert job_name(newer, "temporal-schema") != job_name(recording, "temporal-schema")


def job_name(recording: Recording, logical: str) -> str:
    (job,) = [found for found in recording.of_kind("Job") if found.name == logical]
    return job.inputs["metadata"]["name"]


def test_a_change_of_static_configuration_rolls_the_servers(recording: Recording) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["persistence"]["connections"] = {"default": 5}

    changed = deployed(settings(change))

    assert server_annotations(changed) != server_annotations(recording)


def server_annotations(recording: Recording) -> dict[str, str]:
    return recording.named("Deployment", "temporal-frontend")["spec"]["template"]["metadata"]["annotations"]


def test_the_load_balancer_is_private_unless_told_otherwise() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["load_balancer"] = {
            "service": {
                "type": "LoadBalancer",
                "annotations": {"example.net/pool": "x"},
                "source_ranges": ["10.0.0.0/8"],
            }
        }

    service = deployed(settings(change)).named("Service", "temporal")

    assert service["metadata"]["annotations"] == {
        "networking.gke.io/load-balancer-type": "Internal",
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
        "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
        "example.net/pool": "x",
    }
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert service["spec"]["trafficDistribution"] == "PreferClose"


def test_tolerations_and_pull_secrets_reach_every_pod() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["cluster"]["tolerations"] = [{"key": "pool", "value": "temporal", "effect": "NoSchedule"}]
        tree["images"] = {"pull_secrets": ["registry"]}

    found = deployed(settings(change))

    for kind in ("Deployment", "Job"):
        for resource in found.of_kind(kind):
            pod = resource.inputs["spec"]["template"]["spec"]
            assert pod["imagePullSecrets"] == [{"name": "registry"}], resource.name
            (toleration,) = pod["tolerations"]
            assert (
                toleration.items()
                >= {
                    "key": "pool",
                    "value": "temporal",
                    "effect": "NoSchedule",
                }.items()
            ), resource.name
    cluster = found.named("Cluster", "postgres")["spec"]
    assert cluster["imagePullSecrets"] == [{"name": "registry"}]
    assert cluster["affinity"]["tolerations"] == [
        {"key": "pool", "value": "temporal", "effect": "NoSchedule"}
    ]


def test_adapting_the_manifest_changes_only_what_must() -> None:
    placement = Placement(namespace="temporal", zones=("a", "b", "c"))

    found = {item["kind"]: adapt(item, "mirror/operator:1", placement) for item in MANIFEST}

    deployment = found["Deployment"]["spec"]
    container = deployment["template"]["spec"]["containers"][0]
    assert deployment["replicas"] == 2
    assert (container["image"], container["imagePullPolicy"]) == ("mirror/operator:1", "IfNotPresent")
    assert container["env"] == [{"name": "OPERATOR_IMAGE_NAME", "value": "mirror/operator:1"}]
    assert container["resources"]["limits"].keys() == {"memory"}
    assert MANIFEST[-1]["spec"]["replicas"] == 1
    for item in MANIFEST:
        if item["kind"] in {"CustomResourceDefinition", "ClusterRoleBinding"}:
            assert found[item["kind"]] == item


def test_the_pinned_manifest_holds_no_kind_that_is_unknown_here() -> None:
    try:
        manifest = manifests.load(manifests.CLOUDNATIVE_PG)
    except manifests.ManifestError as error:
        pytest.skip(str(error))
    placement = Placement(namespace="temporal", zones=("a", "b", "c"))

    adapted = [adapt(item, "mirror/operator:1", placement) for item in manifest]

    assert len(adapted) == 25
    assert {item["kind"] for item in adapted} == {
        "Namespace",
        "CustomResourceDefinition",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Service",
        "Deployment",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    }
