"""Worker pools: who has which, what it reserves, what it is told and mounts, and what it asks of the servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra import sizing
from infra.pools import pools_of
from infra.settings import Settings
from infra.sizing import WorkerLoad, problems, worker_load
from tests.infra.recorder import Recording
from tests.infra.support import RELEASE, deployed, settings
from worker.serving.limits import limits_of
from worker.tenancy import SHARED_QUEUE, Lane

DEDICATED = {"name": "afijo", "strategy": "dedicated-workers"}
ROUTERS = [
    {"name": "mad-1", "tenant": "chogar", "platform": "iosxr", "host": "192.0.2.1"},
    {"name": "vlc-1", "tenant": "afijo", "platform": "frr", "host": "192.0.2.2", "credentials": "core"},
]


def with_tenants(*tenants: dict[str, Any], **workers: Any) -> Settings:
    def change(tree: dict[str, Any]) -> None:
        tree["tenants"] = list(tenants)
        tree["workers"].update(workers)

    return settings(change)


def pod(recording: Recording, name: str) -> dict[str, Any]:
    return recording.named("Deployment", name)["spec"]["template"]["spec"]


def variables(recording: Recording, name: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in pod(recording, name)["containers"][0]["env"]}


def mounts(recording: Recording, name: str) -> set[str]:
    return {mount["mountPath"] for mount in pod(recording, name)["containers"][0]["volumeMounts"]}


@pytest.mark.parametrize(
    ("tenant", "pools"),
    [
        ({"name": "chogar"}, ["shared"]),
        ({"name": "chogar", "strategy": "shared-queue"}, ["shared"]),
        (DEDICATED, ["shared", "afijo"]),
        # Both pools serve it until the move is done, in either direction.
        ({**DEDICATED, "moving_from": "task-queue"}, ["shared", "afijo"]),
        ({"name": "afijo", "moving_from": "dedicated-workers"}, ["shared", "afijo"]),
    ],
)
def test_a_tenant_with_workers_of_its_own_has_a_pool(tenant: dict[str, Any], pools: list[str]) -> None:
    assert [pool.name for pool in pools_of(with_tenants(tenant))] == pools


def test_a_pool_of_one_tenant_is_guaranteed_what_it_reserves() -> None:
    stack = with_tenants(
        DEDICATED,
        {"name": "grande", "strategy": "dedicated-workers"},
        dedicated={
            "replicas": 3,
            "resources": {"cpu": "1", "memory": "1Gi"},
            "tenants": {"grande": {"replicas": 6, "resources": {"cpu": "2", "memory": "2Gi"}}},
        },
    )
    found = deployed(stack)

    guaranteed = {}
    for name in ("worker-afijo", "worker-grande"):
        deployment = found.named("Deployment", name)["spec"]
        resources = deployment["template"]["spec"]["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"]
        guaranteed[name] = (deployment["replicas"], resources["limits"])
    assert guaranteed == {
        "worker-afijo": (3, {"cpu": "1", "memory": "1Gi"}),
        "worker-grande": (6, {"cpu": "2", "memory": "2Gi"}),
    }
    components = found.exports["components"]
    assert (components["worker-shared"]["replicas"], components["worker-grande"]["replicas"]) == (3, 6)
    assert found.exports["tenants"]["grande"]["workers"] == "worker-grande"


def test_a_pool_is_told_its_name_and_registers_under_it_with_the_release() -> None:
    found = deployed(with_tenants({"name": "chogar"}, DEDICATED))

    for pool in ("shared", "afijo"):
        told = variables(found, f"worker-{pool}")
        assert told["ROUTERFLEET_POOL"] == pool
        assert told["ROUTERFLEET_DEPLOYMENT_NAME"] == f"worker-{pool}"
        assert told["ROUTERFLEET_BUILD_ID"] == RELEASE.worker_tag
    tenants = json.loads(found.named("ConfigMap", "tenants")["data"]["tenants.json"])
    assert tenants["release"] == RELEASE.worker_tag


def test_without_versioning_there_is_no_build_id_and_no_release() -> None:
    found = deployed(with_tenants({"name": "chogar"}, versioning=False))

    told = variables(found, "worker-shared")
    assert {"ROUTERFLEET_DEPLOYMENT_NAME", "ROUTERFLEET_BUILD_ID"}.isdisjoint(told)
    assert json.loads(found.named("ConfigMap", "tenants")["data"]["tenants.json"])["release"] == ""


def test_tenant_records_reach_the_workers_whole() -> None:
    record = {
        "name": "piloto",
        "strategy": "shared-queue",
        "retention_days": 7,
        "urgency": "bulk",
        "weight": 2.0,
        "concurrency": 5,
        "rate_per_second": 4.0,
        "moving_from": "task-queue",
    }
    found = deployed(with_tenants(record))

    tenants = json.loads(found.named("ConfigMap", "tenants")["data"]["tenants.json"])
    assert tenants["tenants"] == [record]


def test_workers_mount_the_inventory_and_the_logins_of_their_own_tenants() -> None:
    secrets = {"default": "logins", "core": "core-logins", "spare": "unused"}
    stack = with_tenants({"name": "chogar"}, DEDICATED, inventory=ROUTERS, credentials_secret=secrets)
    found = deployed(stack)

    text = found.named("ConfigMap", "inventory")["data"]["inventory.json"]
    assert json.loads(text) == {"routers": ROUTERS}
    common = {"/etc/routerfleet", "/tmp", "/etc/routerfleet-inventory"}  # noqa: S108  # inside a container
    assert mounts(found, "worker-shared") == common | {"/etc/routerfleet-credentials/default"}
    assert mounts(found, "worker-afijo") == common | {"/etc/routerfleet-credentials/core"}
    assert {"name": "login-core", "secret": {"secretName": "core-logins"}} in pod(found, "worker-afijo")[
        "volumes"
    ]
    told = variables(found, "worker-afijo")
    assert told["ROUTERFLEET_INVENTORY_FILE"] == "/etc/routerfleet-inventory/inventory.json"
    assert told["ROUTERFLEET_CREDENTIALS_FOLDER"] == "/etc/routerfleet-credentials"


def test_workers_without_routers_of_their_own_mount_neither() -> None:
    found = deployed(with_tenants({"name": "chogar"}))

    assert mounts(found, "worker-shared") == {"/etc/routerfleet", "/tmp"}  # noqa: S108  # inside a container
    told = variables(found, "worker-shared")
    assert {"ROUTERFLEET_INVENTORY_FILE", "ROUTERFLEET_CREDENTIALS_FOLDER"}.isdisjoint(told)
    assert found.of_kind("WorkerFiles") == []


def test_a_changed_inventory_rolls_the_workers() -> None:
    def annotations(routers: list[dict[str, Any]]) -> dict[str, str]:
        found = deployed(with_tenants({"name": "chogar"}, DEDICATED, inventory=routers))
        return found.named("Deployment", "worker-shared")["spec"]["template"]["metadata"].get(
            "annotations", {}
        )

    one, two = annotations(ROUTERS[:1]), annotations([ROUTERS[0] | {"host": "192.0.2.9"}])

    assert one.keys() == two.keys() == {"routerfleet/config-checksum"}
    assert one != two
    assert annotations([]) == {}


def task_queues(count: int) -> list[dict[str, Any]]:
    return [{"name": f"t{index}"} for index in range(count)]


@pytest.mark.parametrize(
    ("tenants", "load"),
    [
        ([], WorkerLoad(polls=0, queues=0, deployments=0)),
        # 3 pods and one of a rollout, 4 polls each.
        (task_queues(1), WorkerLoad(polls=16, queues=1, deployments=1, changes=3)),
        (task_queues(1000), WorkerLoad(polls=16_000, queues=1000, deployments=1, changes=3)),
        # Polls are counted by namespace, so a namespace each adds none to another's.
        (
            [{"name": f"t{index}", "strategy": "namespace"} for index in range(50)],
            WorkerLoad(polls=16, queues=1, deployments=1, changes=3),
        ),
        (
            [{"name": f"t{index}", "strategy": "dedicated-workers"} for index in range(60)],
            WorkerLoad(polls=960, queues=1, deployments=60, changes=180),
        ),
        # However many share it, it is one queue.
        (
            [{"name": f"t{index}", "strategy": "shared-queue"} for index in range(500)],
            WorkerLoad(polls=16, queues=1, deployments=1, shared_queue_namespace="production", changes=6),
        ),
        # Both lanes of a tenant that moves are polled.
        (
            [{"name": "a", "moving_from": "shared-queue"}],
            WorkerLoad(polls=32, queues=2, deployments=1, shared_queue_namespace="production", changes=6),
        ),
        # A queue with a rate is one change more.
        (
            [
                {"name": "a", "rate_per_second": 5},
                {"name": "b", "strategy": "namespace", "rate_per_second": 5},
            ],
            WorkerLoad(
                polls=16,
                queues=1,
                deployments=1,
                changes=4,
                rated_queues=(("production", "tenant-a-deployments"), ("tenant-b", "tenant-b-deployments")),
            ),
        ),
    ],
    ids=["none", "one", "many", "namespaces", "dedicated", "shared queue", "moving", "rated"],
)
def test_what_workers_ask_of_the_servers_follows_from_queues_and_pods(
    tenants: list[dict[str, Any]], load: WorkerLoad
) -> None:
    assert worker_load(with_tenants(*tenants)) == load


def test_workers_that_are_not_versioned_register_no_deployments() -> None:
    found = worker_load(with_tenants({"name": "a"}, versioning=False))

    assert (found.deployments, found.changes) == (0, 0)


@pytest.mark.parametrize("queue", ["tenant-a-deployments", SHARED_QUEUE])
def test_pods_poll_no_more_than_the_servers_are_told(queue: str) -> None:
    limits = limits_of(Lane("production", queue), lanes=1000)

    assert max(limits.workflow_pollers, limits.activity_pollers) <= sizing._POLLS_PER_QUEUE


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda tree: tree.update(tenants=task_queues(5000)), "tenants: 5000 records"),
        (
            lambda tree: tree["workers"].update(
                inventory=[
                    {
                        "name": f"r{index}",
                        "tenant": "chogar",
                        "platform": "frr",
                        "host": f"router-{index}.example.net",
                    }
                    for index in range(15_000)
                ]
            ),
            "workers.inventory: 15000 records",
        ),
    ],
    ids=["tenants", "inventory"],
)
def test_what_does_not_fit_into_a_config_map_is_refused(change: Callable[[Any], None], key: str) -> None:
    (line,) = problems(settings(change))

    assert line.startswith(key)
    assert line.endswith("bytes, and a ConfigMap holds 1000000")
