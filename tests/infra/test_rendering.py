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
    "schema.sh": schema_script,
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
    found = schema_variables(stores_of(settings()))

    assert found == {
        "DEFAULT_SQL_PLUGIN": "postgres12_pgx",
        "DEFAULT_SQL_HOST": "postgres-rw.temporal.svc.cluster.local",
        "DEFAULT_SQL_PORT": "5432",
        "DEFAULT_SQL_USER": "temporal",
        "DEFAULT_SQL_DATABASE": "temporal",
        "DEFAULT_SQL_CONNECT_ATTRIBUTES": "connect_timeout=5",
        "DEFAULT_SQL_TLS": "false",
        "DEFAULT_SQL_TLS_CA_FILE": "",
        "DEFAULT_SQL_TLS_SERVER_NAME": "",
        "VISIBILITY_SQL_PLUGIN": "postgres12_pgx",
        "VISIBILITY_SQL_HOST": "postgres-rw.temporal.svc.cluster.local",
        "VISIBILITY_SQL_PORT": "5432",
        "VISIBILITY_SQL_USER": "temporal",
        "VISIBILITY_SQL_DATABASE": "temporal_visibility",
        "VISIBILITY_SQL_CONNECT_ATTRIBUTES": "connect_timeout=5",
        "VISIBILITY_SQL_TLS": "false",
        "VISIBILITY_SQL_TLS_CA_FILE": "",
        "VISIBILITY_SQL_TLS_SERVER_NAME": "",
    }


def test_the_schema_job_trusts_the_authority_of_an_external_store() -> None:
    found = schema_variables(stores_of(settings(external)))

    assert (found["VISIBILITY_SQL_TLS"], found["VISIBILITY_SQL_TLS_CA_FILE"]) == (
        "true",
        "/etc/temporal/ca/visibility/ca.crt",
    )


def test_a_checksum_tells_texts_apart_that_join_to_the_same() -> None:
    assert checksum("ab", "c") != checksum("a", "bc")
    assert checksum("ab", "c") == checksum("ab", "c")
