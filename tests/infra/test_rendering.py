"""Rendered text: whole, against files in snapshots/, and what matters in it by name.

After a change that is meant, write them anew: `ROUTERFLEET_SNAPSHOTS=write pytest tests/infra/test_rendering.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.rendering.dynamic_config import render_dynamic_config
from infra.rendering.haproxy import render_haproxy
from infra.rendering.inventory import render_inventory
from infra.rendering.schema import schema_script, schema_variables
from infra.rendering.temporal_config import render_temporal_config
from infra.rendering.text import checksum
from infra.rendering.ui_config import render_ui_config
from infra.sizing import WorkerLoad
from infra.stores import stores_of
from tests.infra.support import external, settings

SNAPSHOTS = Path(__file__).parent / "snapshots"

LARGE = WorkerLoad(
    polls=16_000, queues=1000, deployments=80, shared_queue_namespace="production", changes=1500
)
"""More than the server's own limits hold, of everything."""

TEXTS = {
    "server.yaml": lambda: render_temporal_config(stores_of(settings()), history_shards=4),
    "server-external.yaml": lambda: render_temporal_config(stores_of(settings(external)), history_shards=4),
    "dynamic.yaml": lambda: render_dynamic_config(WorkerLoad(), {"frontend.namespaceRPS": 100}),
    "dynamic-large.yaml": lambda: render_dynamic_config(LARGE, {}),
    "haproxy.cfg": lambda: render_haproxy("frontends.example", replicas=3),
    "ui.yaml": lambda: render_ui_config("temporal:7233", "production"),
    "ui-codec.yaml": lambda: render_ui_config("temporal:7233", "production", "http://codec:8081"),
    "schema.sh": lambda: schema_script("default") + schema_script("visibility"),
    "tenants.json": lambda: settings().tenants_file().to_json(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_is_as_it_was(name: str) -> None:
    path, text = SNAPSHOTS / name, TEXTS[name]()
    if os.environ.get("ROUTERFLEET_SNAPSHOTS") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    assert text == path.read_text()


def dynamic(load: WorkerLoad, **overrides: object) -> dict[str, Any]:
    """Render the dynamic configuration and read it; `__` in an override's name stands for a dot."""
    return yaml.safe_load(
        render_dynamic_config(load, {key.replace("__", "."): value for key, value in overrides.items()})
    )


def test_overrides_of_the_dynamic_configuration_win() -> None:
    found = dynamic(WorkerLoad(), frontend__shutdownDrainDuration="1s")

    assert found["frontend.shutdownDrainDuration"] == [{"value": "1s"}]


@pytest.mark.parametrize(("polls", "limit"), [(0, 1200), (1200, 1200), (1201, 1201), (30_000, 30_000)])
def test_the_limit_of_polls_follows_what_the_workers_poll(polls: int, limit: int) -> None:
    assert dynamic(WorkerLoad(polls=polls))["frontend.namespaceCount"] == [{"value": limit}]


@pytest.mark.parametrize(
    ("load", "limits"),
    [
        (WorkerLoad(queues=50, deployments=50), {}),
        (WorkerLoad(queues=51, deployments=1), {"maxTaskQueuesInDeploymentVersion": 102}),
        (
            WorkerLoad(queues=501, deployments=51),
            {
                "maxTaskQueuesInDeploymentVersion": 1002,
                "maxTaskQueuesInDeployment": 1002,
                "maxDeployments": 102,
            },
        ),
        # Workers that are not versioned register nothing.
        (WorkerLoad(queues=1000, deployments=0), {}),
    ],
)
def test_limits_of_versioning_are_raised_only_where_the_servers_own_do_not_hold(
    load: WorkerLoad, limits: dict[str, int]
) -> None:
    found = {key: value for key, value in dynamic(load).items() if key.startswith("matching.max")}

    assert found == {f"matching.{key}": [{"value": value}] for key, value in limits.items()}


def test_turns_are_taken_in_the_shared_queue_alone() -> None:
    place = {"namespace": "production", "taskQueueName": "shared-deployments"}

    assert "matching.enableFairness" not in dynamic(WorkerLoad())
    assert dynamic(WorkerLoad(shared_queue_namespace="production"))["matching.enableFairness"] == [
        {"value": True, "constraints": place}
    ]


def test_the_shared_queue_keeps_one_partition_whatever_the_others_get() -> None:
    found = dynamic(WorkerLoad(shared_queue_namespace="production"), matching__numTaskqueueReadPartitions=4)

    place = {"namespace": "production", "taskQueueName": "shared-deployments"}
    assert found["matching.numTaskqueueReadPartitions"] == [{"value": 1, "constraints": place}, {"value": 4}]
    assert found["matching.numTaskqueueWritePartitions"] == [{"value": 1}]


def test_a_queue_with_a_rate_has_one_partition_whatever_the_others_get() -> None:
    rated = (("production", "tenant-a-deployments"), ("tenant-b", "tenant-b-deployments"))
    load = WorkerLoad(rated_queues=rated)

    assert render_dynamic_config(load, {}) == render_dynamic_config(WorkerLoad(), {})
    found = dynamic(load, matching__numTaskqueueWritePartitions=4)
    assert found["matching.numTaskqueueReadPartitions"] == [{"value": 1}]
    places = [{"namespace": namespace, "taskQueueName": queue} for namespace, queue in reversed(rated)]
    assert found["matching.numTaskqueueWritePartitions"] == [
        *[{"value": 1, "constraints": place} for place in places],
        {"value": 4},
    ]


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        (600, {}),
        (601, {"globalNamespaceRPS": 11}),
        (1200, {"globalNamespaceRPS": 20}),
        (1201, {"globalNamespaceRPS": 21, "rps": 21}),
    ],
)
def test_limits_of_changes_are_raised_only_where_the_servers_own_are_too_slow(
    changes: int, limits: dict[str, int]
) -> None:
    found = {
        key: value
        for key, value in dynamic(WorkerLoad(changes=changes)).items()
        if key.endswith("ReplicationInducingAPIs")
    }

    assert found == {
        f"frontend.{key}.namespaceReplicationInducingAPIs": [{"value": value}]
        for key, value in limits.items()
    }


def test_the_inventory_is_what_workers_read() -> None:
    routers = [
        {"name": "b", "tenant": "chogar", "platform": "frr", "host": "192.0.2.7", "port": 2222},
        {"name": "a", "tenant": "chogar", "platform": "simulated", "options": {"x": "y"}},
    ]

    def change(tree: dict[str, Any]) -> None:
        tree["workers"]["inventory"] = routers

    text = render_inventory(settings(change).workers.inventory)

    assert json.loads(text) == {"routers": [routers[1], routers[0]]}
    assert render_inventory(()) == ""


def test_the_schema_job_goes_past_the_pooler_and_holds_no_password() -> None:
    assert schema_variables(stores_of(settings()).visibility) == {
        "SQL_PLUGIN": "postgres12_pgx",
        "SQL_HOST": "postgres-rw.temporal.svc.cluster.local",
        "SQL_PORT": "5432",
        "SQL_USER": "temporal",
        "SQL_DATABASE": "temporal_visibility",
        "SQL_CONNECT_ATTRIBUTES": "connect_timeout=5",
        "SERVERS_HOST": "postgres-pooler.temporal.svc.cluster.local",
        "SERVERS_PORT": "5432",
        "SERVERS_ATTRIBUTES": "connect_timeout=5&default_query_exec_mode=simple_protocol",
    }


def test_the_schema_job_trusts_the_authority_of_an_external_store() -> None:
    assert schema_variables(stores_of(settings(external)).visibility) == {
        "SQL_PLUGIN": "postgres12_pgx",
        "SQL_HOST": "search.example.net",
        "SQL_PORT": "6432",
        "SQL_USER": "searcher",
        "SQL_DATABASE": "visibility",
        "SQL_CONNECT_ATTRIBUTES": "connect_timeout=5",
        "SERVERS_HOST": "search.example.net",
        "SERVERS_PORT": "6432",
        "SERVERS_ATTRIBUTES": "connect_timeout=5&default_query_exec_mode=simple_protocol",
        "SQL_TLS": "true",
        "SQL_TLS_CA_FILE": "/etc/temporal/ca/visibility/ca.crt",
        "SQL_TLS_SERVER_NAME": "db",
    }


def test_a_checksum_tells_texts_apart_that_join_to_the_same() -> None:
    assert checksum("ab", "c") != checksum("a", "bc")
    assert checksum("ab", "c") == checksum("ab", "c")
