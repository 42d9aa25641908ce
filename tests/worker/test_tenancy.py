"""Names and records: pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.tenancy import (
    Namespace,
    Strategy,
    TenancyError,
    Tenant,
    TenantsFile,
    deployment_workflow_id,
)

CHOGAR = Tenant("chogar")
AMOVIL = Tenant("amovil", Strategy.NAMESPACE, retention_days=30)
AFIJO = Tenant("afijo", Strategy.DEDICATED_WORKERS)
FILE = TenantsFile("production", (Namespace("production"), Namespace("staging", 3)), (CHOGAR, AMOVIL, AFIJO))


@pytest.mark.parametrize(
    ("tenant", "queue", "namespace", "pool"),
    [
        (CHOGAR, "tenant-chogar-deployments", "production", "shared"),
        (AMOVIL, "tenant-amovil-deployments", "tenant-amovil", "shared"),
        (AFIJO, "tenant-afijo-deployments", "production", "afijo"),
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
    assert FILE.served_by("shared") == (CHOGAR, AMOVIL)
    assert FILE.served_by("afijo") == (AFIJO,)


def test_file_survives_a_round_trip() -> None:
    assert TenantsFile.from_json(FILE.to_json()) == FILE
    assert json.loads(FILE.to_json())["tenants"][1] == {
        "name": "amovil",
        "strategy": "namespace",
        "retention_days": 30,
    }


def with_tenant(**values: Any) -> dict[str, Any]:
    return {"shared_namespace": "p", "namespaces": [{"name": "p"}], "tenants": [values]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "shared_namespace: None must be text"),
        (
            {"shared": 1},
            "tenants file: unknown key 'shared'; known keys: shared_namespace, namespaces, tenants",
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
            "tenants.a.strategy: 'own' is not one of task-queue, namespace, dedicated-workers",
        ),
        (
            with_tenant(name="a", retention_days=True),
            "tenants.a.retention_days: True must be a whole number of days from 1 to 365",
        ),
        (
            with_tenant(name="a", weight=1),
            "tenants.a: unknown key 'weight'; known keys: name, strategy, retention_days",
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

    assert str(caught.value) == "tenant 'orange' is not known; known tenants: chogar, amovil, afijo"
