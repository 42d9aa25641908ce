"""Every stack file through the recorder: what must hold on each of them, whatever it sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.outputs import Outputs
from infra.settings import STACKS_DIR, Settings, load_stack
from tests.infra.recorder import Recorded, Recording
from tests.infra.support import deployed

STACKS = sorted(path.name.split(".")[1] for path in STACKS_DIR.glob("Pulumi.*.yaml"))

_ZONE = "topology.kubernetes.io/zone"

DRAIN_SECONDS = {
    "temporal-frontend": 10 + 65,
    "temporal-history": 10 + 10,
    "temporal-matching": 10 + 10,
    "temporal-worker": 0,
    "temporal-balancer": 10 + 70,
    "temporal-ui": 0,
    "worker-shared": 30,
    "codec-server": 5,
    "cnpg-controller-manager": 0,
    "zone-watcher": 1,
}
"""How long each workload takes to leave without dropping anything; a pool of one tenant as the shared one."""

_recordings: dict[str, Recording] = {}


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def settings(stack: str) -> Settings:
    return load_stack(stack)


@pytest.fixture(scope="module")
def recording(stack: str, settings: Settings) -> Recording:
    if stack not in _recordings:
        _recordings[stack] = deployed(settings)
    return _recordings[stack]


def pod_of(resource: Recorded) -> dict[str, Any]:
    return resource.inputs["spec"]["template"]["spec"]


def pods(recording: Recording) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Deployment", "Job"):
        for resource in recording.of_kind(kind):
            yield resource.name, pod_of(resource)


def containers(recording: Recording) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods(recording):
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            yield name, container


def test_there_are_the_stacks_that_the_readme_promises() -> None:
    assert {"local", "staging", "production"} <= set(STACKS)


def test_every_deployment_is_spread_over_the_stacks_zones(recording: Recording, settings: Settings) -> None:
    for deployment in recording.of_kind("Deployment"):
        spec, pod = deployment.inputs["spec"], pod_of(deployment)
        (constraint,) = pod["topologySpreadConstraints"]
        assert constraint == {
            "maxSkew": 1,
            "minDomains": min(3, spec["replicas"]),
            "topologyKey": _ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": spec["selector"]["matchLabels"]},
            "matchLabelKeys": ["pod-template-hash"],
        }, deployment.name
        terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert terms["nodeSelectorTerms"] == [
            {"matchExpressions": [{"key": _ZONE, "operator": "In", "values": list(settings.cluster.zones)}]}
        ], deployment.name
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_every_deployment_has_a_budget_that_lets_one_pod_go(recording: Recording) -> None:
    budgets = {
        json.dumps(budget.inputs["spec"]["selector"]["matchLabels"]): budget.inputs["spec"]
        for budget in recording.of_kind("PodDisruptionBudget")
    }
    for deployment in recording.of_kind("Deployment"):
        spec = deployment.inputs["spec"]
        budget = budgets[json.dumps(spec["selector"]["matchLabels"])]
        assert budget["maxUnavailable"] == 1 < spec["replicas"], deployment.name
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_rollouts_never_take_capacity_away(recording: Recording) -> None:
    for deployment in recording.of_kind("Deployment"):
        if not deployment.name.startswith("cloudnative-pg"):
            strategy = deployment.inputs["spec"]["strategy"]["rollingUpdate"]
            assert strategy == {"maxSurge": 1, "maxUnavailable": 0}, deployment.name


def test_every_container_may_do_nothing_but_run(recording: Recording) -> None:
    for name, container in containers(recording):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["runAsNonRoot"] is True, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["command"], name
    for name, pod in pods(recording):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["enableServiceLinks"] is False, name


def test_only_the_operator_gets_a_service_account_token(recording: Recording) -> None:
    found = {name for name, pod in pods(recording) if pod.get("automountServiceAccountToken") is not False}

    assert found == {"cloudnative-pg-deployment-cnpg-controller-manager"}


def test_only_the_zone_watcher_mounts_a_token_by_itself(recording: Recording) -> None:
    found = {
        name
        for name, pod in pods(recording)
        for volume in pod.get("volumes", [])
        if "serviceAccountToken" in str(volume)
    }

    assert found == {"zone-watcher"} & {item.name for item in recording.of_kind("Deployment")}


def test_every_image_names_one_version_and_is_not_pulled_again(recording: Recording) -> None:
    for name, container in containers(recording):
        _, _, tag = container["image"].rpartition(":")
        assert tag not in {"", "latest"}, name
        assert "/" not in tag, name
        assert container["imagePullPolicy"] == "IfNotPresent", name


def test_containers_reserve_and_are_limited_in_memory_only_unless_they_are_guaranteed(
    recording: Recording, settings: Settings
) -> None:
    guaranteed = {f"worker-{pool}" for pool in settings.tenants_file().pools() if pool != "shared"}
    for name, container in containers(recording):
        resources = container["resources"]
        assert resources["requests"].keys() == {"cpu", "memory"}, name
        if name in guaranteed:
            assert resources["limits"] == resources["requests"], name
        else:
            assert resources["limits"].keys() == {"memory"}, name


def test_every_replicated_container_has_all_three_probes(recording: Recording) -> None:
    for deployment in recording.of_kind("Deployment"):
        for container in pod_of(deployment)["containers"]:
            found = {key for key in container if key.endswith("Probe")}
            assert found == {"startupProbe", "livenessProbe", "readinessProbe"}, deployment.name


def test_readiness_of_the_four_services_asks_their_grpc_health(recording: Recording) -> None:
    found = {
        name: pod_of(deployment)["containers"][0]["readinessProbe"]["grpc"]
        for deployment in recording.of_kind("Deployment")
        if (name := deployment.name).removeprefix("temporal-")
        in {"frontend", "history", "matching", "worker"}
    }

    assert found == {
        "temporal-frontend": {"port": 7233, "service": "temporal.api.workflowservice.v1.WorkflowService"},
        "temporal-history": {"port": 7234, "service": "temporal.api.workflowservice.v1.HistoryService"},
        "temporal-matching": {"port": 7235, "service": "temporal.api.workflowservice.v1.MatchingService"},
        "temporal-worker": {"port": 7239, "service": "temporal.api.workflowservice.v1.WorkerService"},
    }


def test_pods_get_longer_to_stop_than_they_take_to_drain(recording: Recording, settings: Settings) -> None:
    found = {
        deployment.inputs["metadata"]["name"]: pod_of(deployment)["terminationGracePeriodSeconds"]
        for deployment in recording.of_kind("Deployment")
    }

    drains = {f"worker-{pool}": 30 for pool in settings.tenants_file().pools()} | DRAIN_SECONDS
    if not settings.is_encrypted:
        del drains["codec-server"]
    assert found.keys() == drains.keys()
    for name, grace in found.items():
        assert grace > drains[name] + 5, name


def test_postgres_keeps_a_synchronous_standby_in_another_zone(recording: Recording) -> None:
    cluster = recording.named("Cluster", "postgres")["spec"]

    assert cluster["instances"] >= 3
    assert cluster["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }
    assert cluster["affinity"]["podAntiAffinityType"] == "required"
    assert cluster["affinity"]["topologyKey"] == _ZONE
    assert cluster["enableSuperuserAccess"] is False
    # An empty list makes the operator restart an instance for ever.
    assert [key for key, value in cluster["affinity"].items() if value == []] == []


def test_no_password_passes_through_the_program(recording: Recording, settings: Settings) -> None:
    secrets = {found.inputs["metadata"]["name"] for found in recording.of_kind("Secret")}

    assert secrets == ({"payload-keys"} if settings.payload_keys else set())
    for resource in recording.resources:
        assert "stringData" not in json.dumps(resource.inputs), resource.name
    for name, container in containers(recording):
        for variable in container.get("env", []):
            if "PASSWORD" in variable["name"]:
                assert "value" not in variable, name
                assert variable["valueFrom"]["secretKeyRef"]["key"], name


def test_namespaces_refuse_privileged_pods(recording: Recording) -> None:
    for namespace in recording.of_kind("Namespace"):
        assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_drills_are_allowed_where_the_stack_says_so_only(recording: Recording, settings: Settings) -> None:
    namespace = recording.named("Namespace", settings.cluster.namespace)

    assert namespace["metadata"]["labels"].get("drill") == ("allowed" if settings.drills.is_allowed else None)


def test_state_is_protected_where_the_stack_says_so_only(recording: Recording, settings: Settings) -> None:
    protected = {
        resource.type.rpartition(":")[2] for resource in recording.resources if resource.is_protected
    }

    assert protected == (
        {"Namespace", "CustomResourceDefinition", "Cluster"} if settings.protection.is_enabled else set()
    )


def test_every_component_says_what_it_made(recording: Recording, settings: Settings) -> None:
    components = [found for found in recording.resources if found.type.startswith("routerfleet:")]
    encryption = {f"routerfleet:components:{name}" for name in ("CodecAddress", "CodecServer", "WorkerFiles")}

    assert {found.type for found in components} == (encryption if settings.is_encrypted else set()) | {
        "routerfleet:components:CloudNativePg",
        "routerfleet:components:LoadBalancer",
        "routerfleet:components:PostgresCluster",
        "routerfleet:components:RestrictedNamespace",
        "routerfleet:components:SchemaJob",
        "routerfleet:components:ServerConfig",
        "routerfleet:components:TemporalService",
        "routerfleet:components:TemporalUi",
        "routerfleet:components:TenantReconcileJob",
        "routerfleet:components:WorkerPool",
        "routerfleet:components:ZoneWatcher",
    }
    assert [found.name for found in components if not recording.component_outputs.get(found.urn)] == []


def test_everything_goes_to_the_stacks_own_cluster(recording: Recording, settings: Settings) -> None:
    (provider,) = recording.of_kind("kubernetes")

    assert provider.inputs["context"] == settings.cluster.context
    objects = [found for found in recording.resources if found.type.startswith("kubernetes:")]
    assert {found.provider for found in objects} == {f"{provider.urn}::cluster-id"}


def test_the_local_stack_has_a_tenant_of_each_strategy() -> None:
    assert {str(tenant.strategy): tenant.name for tenant in load_stack("local").tenants} == {
        "task-queue": "chogar",
        "namespace": "amovil",
        "dedicated-workers": "afijo",
        "shared-queue": "piloto",
    }


def test_payloads_are_encrypted_on_the_local_stack() -> None:
    assert load_stack("local").is_encrypted


def test_outputs_are_the_contract_and_nothing_else(recording: Recording) -> None:
    assert recording.exports.keys() == Outputs.__annotations__.keys()


def test_outputs_name_what_runs(recording: Recording) -> None:
    deployments = {
        f"app.kubernetes.io/name={found.name}": found.inputs["spec"]["replicas"]
        for found in recording.of_kind("Deployment")
        if not found.name.startswith("cloudnative-pg")
    }
    pooler = recording.named("Pooler", "postgres-pooler")["spec"]
    cluster = recording.named("Cluster", "postgres")["spec"]

    listed = {found["selector"]: found["replicas"] for found in recording.exports["components"].values()}

    assert listed == deployments | {
        "cnpg.io/cluster=postgres,cnpg.io/podRole=instance": cluster["instances"],
        "cnpg.io/poolerName=postgres-pooler": pooler["instances"],
    }
