"""Settings: what is refused, in which words, and that everything wrong is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.settings import STACKS_DIR, SettingsError, load, load_stack, parse
from tests.infra.recorder import record
from tests.infra.support import KEYRING, external, settings, tree

Change = Callable[[dict[str, Any]], object]


def set_to(path: str, value: object) -> Change:
    """Return a change that sets one value of a tree."""
    *parents, last = path.split(".")

    def change(values: dict[str, Any]) -> None:
        for part in parents:
            values = values.setdefault(part, {})
        values[last] = value

    return change


def removed(path: str) -> Change:
    """Return a change that takes one value out of a tree."""
    *parents, last = path.split(".")

    def change(values: dict[str, Any]) -> None:
        for part in parents:
            values = values[part]
        del values[last]

    return change


REFUSALS: list[tuple[Change, str]] = [
    (
        set_to("persistance", {}),
        "persistance: unknown key; did you mean persistence?",
    ),
    (
        set_to("workers.replcas", 3),
        "workers.replcas: unknown key; did you mean replicas?",
    ),
    (
        set_to("persistence.postgres.pooler.pool", 3),
        "persistence.postgres.pooler.pool: unknown key; did you mean pool_size?",
    ),
    (
        set_to("drills.x", 1),
        "drills.x: unknown key; known are is_allowed",
    ),
    (
        removed("temporal.history_shards"),
        "temporal.history_shards: is missing",
    ),
    (
        set_to("temporal.frontend.replicas", 2),
        "temporal.frontend.replicas: 2 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("temporal.history.replicas", 1),
        "temporal.history.replicas: 1 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("temporal.matching.replicas", 0),
        "temporal.matching.replicas: 0 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("persistence.postgres.instances", 2),
        "persistence.postgres.instances: 2 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("temporal.worker.replicas", 1),
        "temporal.worker.replicas: 1 is too few: at least 2 (in different zones, so that one survives)",
    ),
    (
        set_to("ui.replicas", 1),
        "ui.replicas: 1 is too few: at least 2 (in different zones, so that one survives)",
    ),
    (
        set_to("persistence.postgres.pooler.instances", 1),
        "persistence.postgres.pooler.instances: 1 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("load_balancer.replicas", 1),
        "load_balancer.replicas: 1 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("workers.replicas", 1),
        "workers.replicas: 1 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("cluster.zones", ["a", "b"]),
        "cluster.zones: ['a', 'b'] is too few: at least 3 zones, so that losing one leaves a majority",
    ),
    (
        set_to("cluster.zones", ["a", "b", "b"]),
        "cluster.zones: ['a', 'b', 'b'] names a zone twice",
    ),
    (
        removed("cluster.context"),
        "cluster.context: is missing",
    ),
    (
        set_to("images.haproxy.tag", "latest"),
        "images.haproxy.tag: latest is no version: two nodes would run different images under it",
    ),
    (
        set_to("images.haproxy.digest", "sha256:1"),
        "images.haproxy.digest: 'sha256:1' is wrong: string should match pattern '^sha256:[0-9a-f]{64}$'",
    ),
    (
        set_to("ui.resources.memory_limit", "much"),
        (
            "ui.resources.memory_limit: 'much' is wrong: "
            "string should match pattern '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$'"
        ),
    ),
    (
        set_to("temporal.history_shards", "512"),
        "temporal.history_shards: '512' is wrong: input should be a valid integer",
    ),
    (
        set_to("temporal.history_shards", 0),
        "temporal.history_shards: 0 is wrong: input should be greater than or equal to 1",
    ),
    (
        set_to("temporal.history_shards", 29),
        (
            "temporal.history_shards: 29 must be 30 or more, 10 for each of the 3 history.replicas: "
            "a server without a shard is never Ready"
        ),
    ),
    (
        set_to("persistence.kind", "cassandra"),
        "persistence.kind: 'cassandra' is wrong: input should be 'postgres' or 'external'",
    ),
    (
        set_to("persistence.kind", "external"),
        "persistence: kind is external, so exactly the key external is needed; found postgres",
    ),
    (
        set_to("temporal.shared_namespace", "nowhere"),
        "temporal.shared_namespace: 'nowhere' must be one of namespaces: production",
    ),
    (
        set_to("tenants", [{"name": "A-b"}]),
        (
            "tenants.0: tenants: name 'A-b' must be lower-case letters and digits, "
            "start with a letter and have at most 40 characters"
        ),
    ),
    (
        set_to("tenants", [{"name": "a"}, {"name": "a"}]),
        "tenants: 'a' is listed twice; names must be unique",
    ),
    (
        set_to("tenants", ["chogar"]),
        "tenants.0: chogar must be a record with a name",
    ),
    (
        set_to("tenants", [{"name": "chogar", "strategy": "own"}]),
        (
            "tenants.0: tenants.chogar.strategy: 'own' is not one of task-queue, namespace, dedicated-workers, "
            "shared-queue"
        ),
    ),
    (
        set_to("workers.dedicated.replicas", 2),
        "workers.dedicated.replicas: 2 is too few: at least 3 (one per zone)",
    ),
    (
        set_to("workers.dedicated.tenants", {"chogar": {"replicas": 4}}),
        (
            "workers.dedicated.tenants.chogar: no tenant of that name has, or is leaving, strategy "
            "dedicated-workers"
        ),
    ),
    (
        set_to("workers.inventory", [{"name": "r1", "tenant": "nobody", "platform": "frr"}]),
        "workers.inventory.r1.tenant: 'nobody' must be one of chogar",
    ),
    (
        set_to("workers.inventory", [{"name": "R 1", "tenant": "chogar", "platform": "frr"}]),
        (
            "workers.inventory.R 1: router 'R 1' must be lower-case letters, digits and inner hyphens or dots, "
            "at most 63"
        ),
    ),
    (
        set_to("workers.inventory", [{"name": "r1", "tenant": "chogar", "platform": "frr"}] * 2),
        "workers.inventory: router 'r1' is listed twice; names must be unique",
    ),
    (
        set_to(
            "workers.inventory",
            [{"name": "r1", "tenant": "chogar", "platform": "frr", "credentials": "core"}],
        ),
        "workers.inventory.r1.credentials: 'core' must be one of workers.credentials_secret: none",
    ),
    (
        set_to("codec_server.origins", ["*"]),
        "codec_server.origins.0: '*' is wrong: string should match pattern '^https?://[^\\s/*]+$'",
    ),
    (
        set_to("codec_server.replicas", 1),
        "codec_server.replicas: 1 is too few: at least 2 (in different zones, so that one survives)",
    ),
    (
        lambda values: values.update(payload_keys="(secret)", payload_keys_secret="keys"),
        "payload_keys_secret: keys stands beside payload_keys; give one of the two",
    ),
    (
        set_to("workers.routers_url", "routers:7480"),
        "workers.routers_url: 'routers:7480' is wrong: string should match pattern '^https?://[^\\s/]+$'",
    ),
]


@pytest.mark.parametrize(("change", "line"), REFUSALS, ids=[line.split(" ")[0] for _, line in REFUSALS])
def test_a_wrong_value_is_one_line_with_key_value_and_rule(change: Change, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(tree(change))

    assert str(refused.value).splitlines() == [line]


def test_everything_wrong_is_said_at_once() -> None:
    def change(values: dict[str, Any]) -> None:
        for step in (
            set_to("foo", 1),
            set_to("temporal.frontend.replicas", 1),
            set_to("persistence.postgres.instances", 1),
            removed("workers.routers_url"),
        ):
            step(values)

    with pytest.raises(SettingsError) as refused:
        parse(tree(change))

    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "temporal.frontend.replicas",
        "persistence.postgres.instances",
        "workers.routers_url",
        "foo",
    ]


def test_an_image_record_keeps_the_defaults_that_a_stack_does_not_override() -> None:
    image = settings(set_to("images.haproxy", {"registry": "lab.local"})).images.haproxy

    assert (image.registry, image.repository, image.tag, image.digest) == (
        "lab.local",
        "library/haproxy",
        "3.0",
        None,
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings().temporal.history_shards = 64  # type: ignore[misc]


def test_external_stores_need_no_postgres() -> None:
    found = settings(external).persistence

    assert (found.kind, found.postgres) == ("external", None)


def test_tenants_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "tenants.yaml").write_text("- {name: afijo}\n- {name: amovil, strategy: namespace}\n")

    found = parse(tree(set_to("tenants", "tenants.yaml")), tmp_path)

    assert [(tenant.name, str(tenant.strategy)) for tenant in found.tenants] == [
        ("afijo", "task-queue"),
        ("amovil", "namespace"),
    ]


def test_a_missing_file_of_tenants_is_said_together_with_everything_else(tmp_path: Path) -> None:
    def change(values: dict[str, Any]) -> None:
        values["tenants"] = "none.yaml"
        values["temporal"]["history_shards"] = 0

    with pytest.raises(SettingsError) as refused:
        parse(tree(change), tmp_path)

    assert str(refused.value).splitlines() == [
        f"tenants: cannot read none.yaml in {tmp_path.name}/: No such file or directory",
        "temporal.history_shards: 0 is wrong: input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize("path", sorted(STACKS_DIR.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_a_running_program_reads_what_the_file_says(path: Path) -> None:
    stack = path.name.split(".")[1]
    config = yaml.safe_load(path.read_text())["config"]
    secret = [key for key, value in config.items() if isinstance(value, dict) and "secure" in value]
    found: list[object] = []

    record(
        lambda: found.append(load(pulumi.Config("routerfleet"))),
        {key: KEYRING if key in secret else json.dumps(value) for key, value in config.items()},
        secret,
    )

    assert found == [load_stack(stack)]


def test_a_running_program_refuses_a_key_it_does_not_know() -> None:
    refused: list[str] = []

    def program() -> None:
        try:
            load()
        except SettingsError as error:
            refused.extend(str(error).splitlines())

    record(
        program, {"routerfleet:" + key: json.dumps(value) for key, value in tree(set_to("x", "y")).items()}
    )

    assert [line for line in refused if line.startswith("x:")] == [
        (
            "x: unknown key; known are cluster, codec_server, drills, images, load_balancer, operators, payload_keys, "
            "payload_keys_secret, persistence, protection, temporal, tenants, ui, workers"
        )
    ]


def test_an_unknown_stack_is_refused_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}")

    with pytest.raises(SettingsError, match=r"^there is no stack 'nope'; known stacks: local$"):
        load_stack("nope", tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "config: [",
            "Pulumi.x.yaml is not YAML: while parsing a flow node expected the node content, but found",
        ),
        ("config", "Pulumi.x.yaml must hold an object `config` with keys `routerfleet:...`"),
        ("config: 3", "Pulumi.x.yaml must hold an object `config` with keys `routerfleet:...`"),
    ],
)
def test_a_malformed_stack_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text(text)

    with pytest.raises(SettingsError) as refused:
        load_stack("x", tmp_path)

    assert str(refused.value).startswith(line)
    assert len(str(refused.value).splitlines()) == 1
