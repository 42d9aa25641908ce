"""Names and records: pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.tenancy import (
    Lane,
    Namespace,
    Strategy,
    TenancyError,
    Tenant,
    TenantsFile,
    Urgency,
    deployment_workflow_id,
    rollout_workflow_id,
    tenant_of_workflow_id,
)

CHOGAR = Tenant("chogar")
AMOVIL = Tenant("amovil", Strategy.NAMESPACE, retention_days=30)
AFIJO = Tenant("afijo", Strategy.DEDICATED_WORKERS)
PILOTO = Tenant("piloto", Strategy.SHARED_QUEUE, weight=2)
SHARED = (Namespace("production"), Namespace("staging", 3))
FILE = TenantsFile("production", SHARED, (CHOGAR, AMOVIL, AFIJO, PILOTO), release="r1")


@pytest.mark.parametrize(
    ("tenant", "queue", "namespace", "pool"),
    [
        (CHOGAR, "tenant-chogar-deployments", "production", "shared"),
        (AMOVIL, "tenant-amovil-deployments", "tenant-amovil", "shared"),
        (AFIJO, "tenant-afijo-deployments", "production", "afijo"),
        (PILOTO, "shared-deployments", "production", "shared"),
    ],
)
def test_names_of_a_tenant(tenant: Tenant, queue: str, namespace: str, pool: str) -> None:
    assert (tenant.task_queue, tenant.namespace("production"), tenant.worker_pool) == (
        queue,
        namespace,
        pool,
    )


def test_workflow_id_names_tenant_and_router() -> None:
    assert deployment_workflow_id("chogar", "mad-1") == "deploy-chogar-mad-1"


def test_rollout_id_names_tenant_and_change() -> None:
    assert rollout_workflow_id("chogar", "CHG-1.2") == "rollout-chogar-CHG-1.2"
    with pytest.raises(TenancyError, match=r"^change 'a b' must be letters"):
        rollout_workflow_id("chogar", "a b")


@pytest.mark.parametrize(
    ("workflow_id", "tenant"),
    [
        (deployment_workflow_id("chogar", "mad-1"), "chogar"),
        (rollout_workflow_id("chogar", "chg-1"), "chogar"),
        ("window-chogar-night-2026-11-23T00:00:00Z", "chogar"),
        ("deploy-chogar", None),
        ("deploy--mad-1", None),
        ("deploy-Chogar-mad-1", None),
        ("backup-chogar-mad-1", None),
    ],
)
def test_tenant_of_a_workflow_id(workflow_id: str, tenant: str | None) -> None:
    assert tenant_of_workflow_id(workflow_id) == tenant


def test_urgency_is_a_priority_key() -> None:
    assert {str(urgency): urgency.priority_key for urgency in Urgency} == {
        "emergency": 1,
        "normal": 3,
        "bulk": 5,
    }


# Few letters, so that two names often begin alike.
_TENANT_NAMES = st.text("ab", min_size=1, max_size=3)
_ROUTER_NAMES = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map("-".join)


@settings(deadline=None)  # a loaded machine is no bug
@given(_TENANT_NAMES, _ROUTER_NAMES, _TENANT_NAMES, _ROUTER_NAMES)
def test_two_routers_never_share_a_workflow_id(t1: str, r1: str, t2: str, r2: str) -> None:
    same = deployment_workflow_id(t1, r1) == deployment_workflow_id(t2, r2)

    assert same == ((t1, r1) == (t2, r2))


def test_workflow_id_refuses_a_name_that_cannot_stand_in_it() -> None:
    with pytest.raises(TenancyError, match=r"^router 'a/b' must be lower-case"):
        deployment_workflow_id("chogar", "a/b")


def test_all_namespaces_are_the_listed_and_the_tenants_own() -> None:
    assert FILE.all_namespaces() == (
        Namespace("production", 7),
        Namespace("staging", 3),
        Namespace("tenant-amovil", 30),
    )


def test_pools_serve_their_own_tenants() -> None:
    assert FILE.pools() == ("shared", "afijo")
    assert FILE.served_by("shared") == (CHOGAR, AMOVIL, PILOTO)
    assert FILE.served_by("afijo") == (AFIJO,)


def shared_lanes(*tenants: Tenant) -> list[tuple[str, str, list[str], int]]:
    file = TenantsFile("production", SHARED, tenants)
    lanes = file.lanes("shared")
    return [
        (lane.namespace, lane.task_queue, [user.name for user in lane.tenants], lane.concurrency)
        for lane in lanes
    ]


def test_the_shared_queue_is_one_lane_of_many_tenants() -> None:
    tenants = (Tenant("b", Strategy.SHARED_QUEUE, concurrency=5), CHOGAR, Tenant("a", Strategy.SHARED_QUEUE))

    assert shared_lanes(*tenants) == [
        ("production", "shared-deployments", ["b", "a"], 25),
        ("production", "tenant-chogar-deployments", ["chogar"], 20),
    ]


@pytest.mark.parametrize(
    ("old", "new", "lanes"),
    [
        (
            Strategy.TASK_QUEUE,
            Strategy.SHARED_QUEUE,
            [("production", "shared-deployments"), ("production", "tenant-a-deployments")],
        ),
        (
            Strategy.SHARED_QUEUE,
            Strategy.NAMESPACE,
            [("production", "shared-deployments"), ("tenant-a", "tenant-a-deployments")],
        ),
        (
            Strategy.NAMESPACE,
            Strategy.TASK_QUEUE,
            [("production", "tenant-a-deployments"), ("tenant-a", "tenant-a-deployments")],
        ),
    ],
)
def test_old_and_new_lane_are_served_during_a_move(
    old: Strategy, new: Strategy, lanes: list[tuple[str, str]]
) -> None:
    moving = Tenant("a", new, moving_from=old)
    file = TenantsFile("production", SHARED, (moving,))
    before, after = file.old_lane_of(moving), file.lane_of(moving)

    assert [lane[:2] for lane in shared_lanes(moving)] == lanes
    assert {before, after} == {Lane(*lane) for lane in lanes}
    assert before == TenantsFile("production", SHARED, (Tenant("a", old),)).lanes("shared")[0]


def test_a_move_of_workers_alone_keeps_the_lane_and_has_it_in_both_pools() -> None:
    moving = Tenant("a", Strategy.DEDICATED_WORKERS, moving_from=Strategy.TASK_QUEUE)
    file = TenantsFile("production", SHARED, (moving,))

    assert file.pools() == ("shared", "a")
    assert file.lanes("shared") == file.lanes("a") == (Lane("production", "tenant-a-deployments"),)
    assert file.lanes("a")[0].tenants == (moving,)
    assert file.old_lane_of(moving) is None


def test_a_namespace_that_is_left_stays_until_the_move_is_done() -> None:
    moving = Tenant("a", retention_days=30, moving_from=Strategy.NAMESPACE)

    assert TenantsFile("production", SHARED, (moving,)).all_namespaces() == (
        *SHARED,
        Namespace("tenant-a", 30),
    )


def test_shared_queue_has_one_rate_per_weight() -> None:
    slow = Tenant("slow", Strategy.SHARED_QUEUE, weight=0.5, rate_per_second=5)
    fast = Tenant("fast", Strategy.SHARED_QUEUE, weight=3, rate_per_second=30)
    leaving = Tenant("leaving", weight=4, moving_from=Strategy.SHARED_QUEUE)
    file = TenantsFile("production", SHARED, (CHOGAR, slow, fast, leaving))

    assert file.shared_queue_rate() == 10
    assert file.shared_queue_weights() == {"slow": 0.5, "fast": 3, "leaving": 4}
    assert (FILE.shared_queue_rate(), FILE.shared_queue_weights()) == (None, {"piloto": 2})


def test_shared_queue_refuses_more_weights_than_it_can_hold() -> None:
    tenants = tuple(Tenant(f"t{number}", Strategy.SHARED_QUEUE, weight=2) for number in range(1001))
    TenantsFile("production", SHARED, tenants[1:])

    with pytest.raises(TenancyError) as caught:
        TenantsFile("production", SHARED, tenants)

    assert str(caught.value) == (
        "tenants: 1001 tenants of shared-deployments have a weight other than 1, and it can hold 1000; "
        "give some weight 1 or a queue of their own"
    )


def test_file_survives_a_round_trip() -> None:
    assert TenantsFile.from_json(FILE.to_json()) == FILE
    assert json.loads(FILE.to_json())["tenants"][1] == {
        "name": "amovil",
        "strategy": "namespace",
        "retention_days": 30,
        "urgency": "normal",
        "weight": 1.0,
        "concurrency": 20,
        "rate_per_second": None,
        "moving_from": None,
    }


def test_a_record_needs_a_name_only() -> None:
    values = {"shared_namespace": "p", "namespaces": [{"name": "p"}], "tenants": [{"name": "a"}]}

    assert TenantsFile.from_dict(values) == TenantsFile("p", (Namespace("p"),), (Tenant("a"),), "")


def test_texts_and_whole_numbers_become_what_they_mean() -> None:
    values = {"name": "a", "urgency": "bulk", "moving_from": "namespace", "rate_per_second": 5, "weight": 2}

    tenant = Tenant.from_dict(values)

    assert tenant == Tenant(
        "a", urgency=Urgency.BULK, moving_from=Strategy.NAMESPACE, rate_per_second=5.0, weight=2.0
    )
    assert (tenant.urgency.priority_key, type(tenant.rate_per_second)) == (5, float)


def with_tenant(**values: Any) -> dict[str, Any]:
    return {"shared_namespace": "p", "namespaces": [{"name": "p"}], "tenants": [values]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "shared_namespace: None must be text"),
        (
            {"shared": 1},
            "tenants file: unknown key 'shared'; known keys: shared_namespace, namespaces, tenants, release",
        ),
        ({"shared_namespace": "p"}, "namespaces: None must be a list"),
        (
            {"shared_namespace": "q", "namespaces": [{"name": "p"}], "tenants": []},
            "shared_namespace: 'q' must be one of namespaces: p",
        ),
        (
            {"shared_namespace": "p", "namespaces": [{"name": "p"}, {"name": "p"}], "tenants": []},
            "namespaces: 'p' is listed twice; names must be unique",
        ),
        (
            {"shared_namespace": "p", "namespaces": [{"name": "p"}], "tenants": ["chogar"]},
            "tenants: 'chogar' must be an object with a name",
        ),
        (
            with_tenant(name="a-b"),
            "tenants: name 'a-b' must be lower-case letters and digits, start with a letter and have at most 40 characters",
        ),
        (
            with_tenant(name="shared"),
            "tenants: name 'shared' is taken by the shared worker pool; choose another",
        ),
        (
            with_tenant(name="a", strategy="own"),
            "tenants.a.strategy: 'own' is not one of task-queue, namespace, dedicated-workers, shared-queue",
        ),
        (
            with_tenant(name="a", retention_days=True),
            "tenants.a.retention_days: True must be a whole number of days from 1 to 365",
        ),
        (
            with_tenant(name="a", wieght=1),
            (
                "tenants.a: unknown key 'wieght'; known keys: name, strategy, retention_days, urgency, weight, "
                "concurrency, rate_per_second, moving_from"
            ),
        ),
        (
            with_tenant(name="a", strategy=["namespace"]),
            "tenants.a.strategy: ['namespace'] is not one of task-queue, namespace, dedicated-workers, shared-queue",
        ),
        (
            with_tenant(name="a", urgency="now"),
            "tenants.a.urgency: 'now' is not one of emergency, normal, bulk",
        ),
        (with_tenant(name="a", weight=0), "tenants.a.weight: 0 must be a number from 0.001 to 1000"),
        (
            with_tenant(name="a", weight=float("nan")),
            "tenants.a.weight: nan must be a number from 0.001 to 1000",
        ),
        (
            with_tenant(name="a", concurrency=0),
            "tenants.a.concurrency: 0 must be a whole number from 1 to 1000",
        ),
        (
            with_tenant(name="a", rate_per_second=0),
            "tenants.a.rate_per_second: 0 must be a number from 0.01 to 100000",
        ),
        (
            with_tenant(name="a", rate_per_second=True),
            "tenants.a.rate_per_second: True must be a number from 0.01 to 100000",
        ),
        (
            with_tenant(name="a", moving_from="home"),
            "tenants.a.moving_from: 'home' is not one of task-queue, namespace, dedicated-workers, shared-queue",
        ),
        (
            with_tenant(name="a", moving_from="task-queue"),
            (
                "tenants.a.moving_from: 'task-queue' must be another strategy than the tenant has; "
                "leave it out when the move is done"
            ),
        ),
        (
            {**with_tenant(name="a"), "release": 5},
            "release: 5 must be text",
        ),
        (
            {
                **with_tenant(),
                "tenants": [
                    {"name": "a", "strategy": "shared-queue", "rate_per_second": 10},
                    {"name": "b", "strategy": "shared-queue", "rate_per_second": 10, "weight": 2},
                ],
            },
            (
                "tenants.b.rate_per_second: 10.0 must be 20, because shared-deployments has one rate per unit of weight, "
                "10 by the others; or choose another strategy"
            ),
        ),
        (
            {
                **with_tenant(),
                "tenants": [
                    {"name": "a", "strategy": "shared-queue"},
                    {"name": "b", "strategy": "shared-queue", "rate_per_second": 10},
                ],
            },
            (
                "tenants.a.rate_per_second: None must be 10, because shared-deployments has one rate per unit of weight, "
                "10 by the others; or choose another strategy"
            ),
        ),
        (
            {
                "shared_namespace": "p",
                "namespaces": [{"name": "p"}, {"name": "tenant-a"}],
                "tenants": [{"name": "a", "moving_from": "namespace"}],
            },
            "namespaces: 'tenant-a' belongs to tenant a; leave it out, its retention is the tenant's",
        ),
        (
            {
                "shared_namespace": "p",
                "namespaces": [{"name": "p"}, {"name": "tenant-a"}],
                "tenants": [{"name": "a", "strategy": "namespace"}],
            },
            "namespaces: 'tenant-a' belongs to tenant a; leave it out, its retention is the tenant's",
        ),
    ],
)
def test_bad_file_is_one_clear_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TenancyError) as caught:
        TenantsFile.from_json(json.dumps(values))

    assert str(caught.value) == message


def test_load_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tenants.json"
    with pytest.raises(TenancyError) as caught:
        TenantsFile.load(path)
    assert str(caught.value) == f"{path}: No such file or directory"

    path.write_text("{")
    with pytest.raises(TenancyError, match=rf"^{path}: tenants file is not JSON: "):
        TenantsFile.load(path)


def test_unknown_tenant_names_the_known() -> None:
    with pytest.raises(TenancyError) as caught:
        FILE.tenant("orange")

    assert str(caught.value) == "tenant 'orange' is not known; known tenants: chogar, amovil, afijo, piloto"
