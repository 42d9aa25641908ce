"""Rendered text: whole, against files in snapshots/, and what matters in it by name.

After a change that is meant, write them anew: `ROUTERFLEET_SNAPSHOTS=write pytest tests/infra/test_rendering.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from infra.rendering.dynamic_config import render_dynamic_config
from infra.rendering.haproxy import render_haproxy
from infra.rendering.schema import schema_script, schema_variables
from infra.rendering.temporal_config import render_temporal_config
from infra.rendering.text import checksum
from infra.rendering.ui_config import render_ui_config
from infra.stores import stores_of
from tests.infra.support import external, settings

SNAPSHOTS = Path(__file__).parent / "snapshots"

TEXTS = {
    "server.yaml": lambda: render_temporal_config(stores_of(settings()), history_shards=4),
    "server-external.yaml": lambda: render_temporal_config(stores_of(settings(external)), history_shards=4),
    "dynamic.yaml": lambda: render_dynamic_config(3, {"frontend.namespaceRPS": 100}),
    "haproxy.cfg": lambda: render_haproxy("frontends.example", replicas=3),
    "ui.yaml": lambda: render_ui_config("temporal:7233", "production"),
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


def test_overrides_of_the_dynamic_configuration_win() -> None:
    text = render_dynamic_config(3, {"frontend.shutdownDrainDuration": "1s"})

    assert yaml.safe_load(text)["frontend.shutdownDrainDuration"] == [{"value": "1s"}]


@pytest.mark.parametrize(("tenants", "limit"), [(3, 1200), (40, 1200), (41, 1230), (1000, 30000)])
def test_the_limit_of_polls_follows_the_number_of_tenants(tenants: int, limit: int) -> None:
    text = render_dynamic_config(tenants, {})

    assert yaml.safe_load(text)["frontend.namespaceCount"] == [{"value": limit}]


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
