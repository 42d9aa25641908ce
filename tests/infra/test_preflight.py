"""Preflight: what is judged of a cluster that was seen, and what is said of one that cannot be."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra import preflight, run
from infra.preflight import ClusterFacts, ClusterUnavailableError, Findings, judge, observe, shortcomings
from tests.infra.recorder import record
from tests.infra.support import external, settings, tree

UID = "0b6a9c1e-0000-4000-8000-000000000000"

FACTS = ClusterFacts(uid=UID, zones=frozenset({"a", "b", "c"}), storage_classes=frozenset({"fast"}))
"""A cluster that suits the stack of the tests."""


def cluster(**values: Any) -> Any:
    return lambda tree: tree["cluster"].update(values)


def test_a_suitable_cluster_is_not_refused() -> None:
    assert judge(settings(cluster(uid=UID, storage_class="fast")), FACTS) == []


def test_a_cluster_with_the_same_shards_is_not_refused() -> None:
    assert judge(settings(), dataclasses.replace(FACTS, history_shards=32)) == []


@pytest.mark.parametrize(
    ("change", "facts", "line"),
    [
        (
            cluster(uid="ffffffff-0000-4000-8000-000000000000"),
            FACTS,
            (
                f"cluster.uid: context test leads to cluster {UID}, but this stack belongs to "
                "ffffffff-0000-4000-8000-000000000000: point the context at the right cluster"
            ),
        ),
        (
            cluster(zones=["a", "b", "d", "e"]),
            FACTS,
            (
                "cluster.zones: d, e has no node in cluster test; its zones are a, b, c "
                "(node label topology.kubernetes.io/zone)"
            ),
        ),
        (
            cluster(),
            dataclasses.replace(FACTS, zones=frozenset()),
            (
                "cluster.zones: a, b, c has no node in cluster test; its zones are none "
                "(node label topology.kubernetes.io/zone)"
            ),
        ),
        (
            cluster(storage_class="slow"),
            FACTS,
            "cluster.storage_class: slow does not exist in cluster test; it has fast",
        ),
        (
            cluster(),
            dataclasses.replace(FACTS, history_shards=512),
            (
                "temporal.history_shards: 32 cannot replace 512: the number is fixed for the life of a cluster; "
                "to change it, replicate to a new cluster"
            ),
        ),
        (
            lambda tree: tree.update(images={"pull_secrets": ["registry"]}),
            FACTS,
            "images.pull_secrets: secret registry does not exist in namespace temporal",
        ),
    ],
)
def test_an_unsuitable_cluster_is_refused_in_one_line(change: Any, facts: ClusterFacts, line: str) -> None:
    assert judge(settings(change), facts) == [line]


def test_secrets_of_external_stores_must_exist() -> None:
    facts = dataclasses.replace(FACTS, secrets=frozenset({"db-default"}))

    assert judge(settings(external), facts) == [
        "persistence.external.visibility.password_secret: secret db-visibility does not exist in namespace temporal",
        "persistence.external.visibility.tls.ca_secret: secret db-ca does not exist in namespace temporal",
    ]


def test_a_context_that_kubeconfig_lacks_is_one_line(kubeconfig: Path) -> None:
    with pytest.raises(ClusterUnavailableError) as refused:
        observe(settings(cluster(context="prod")))

    assert str(refused.value) == (
        f"cluster.context: kubeconfig {kubeconfig} has no usable context prod: Context 'prod' not found"
    )


def test_a_missing_kubeconfig_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(ClusterUnavailableError) as refused:
        observe(settings())

    assert str(refused.value) == (
        f"cluster.context: kubeconfig {tmp_path / 'none'} has no usable context test: "
        f"Configuration file {tmp_path / 'none'} not found"
    )


@pytest.mark.usefixtures("kubeconfig")
def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(ClusterUnavailableError) as refused:
        observe(settings())

    assert str(refused.value) == (
        "cluster.context: the API server of test does not answer within 10 s: [Errno 111] Connection refused"
    )


@pytest.mark.usefixtures("kubeconfig")
def test_a_run_stops_with_every_problem_before_anything_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.Release, "read", lambda _settings: None)
    monkeypatch.setattr(preflight, "check_dynamic_config", lambda _settings: (["a problem"], []))
    refused: list[str] = []

    def program() -> None:
        try:
            run.run()
        except pulumi.RunError as error:
            refused.extend(str(error).splitlines())

    recording = record(program, {f"routerfleet:{key}": json.dumps(value) for key, value in tree().items()})

    assert refused == [
        "2 problems:",
        "  - a problem",
        "  - cluster.context: the API server of test does not answer within 10 s: [Errno 111] Connection refused",
    ]
    assert recording.resources == []


def test_wrong_settings_stop_a_run_without_a_stack_trace() -> None:
    refused: list[str] = []

    def program() -> None:
        try:
            run.run()
        except pulumi.RunError as error:
            refused.append(str(error))

    values = tree(lambda tree: tree["temporal"].update(history_shards=0))
    record(program, {f"routerfleet:{key}": json.dumps(value) for key, value in values.items()})

    assert refused == ["temporal.history_shards: 0 is wrong: input should be greater than or equal to 1"]


def test_a_stack_that_guards_its_state_hears_what_it_lacks() -> None:
    found = shortcomings(settings(lambda tree: tree.update(protection={"is_enabled": True})))

    assert [line.split(":")[0] for line in found] == [
        "production lacks backups",
        "production lacks mTLS",
        "production lacks an authorizer",
        "production lacks payload encryption",
        "images without a digest",
    ]
    assert shortcomings(settings()) == []


def test_a_stack_that_decrypts_for_people_hears_who_else_may_ask() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree.update(protection={"is_enabled": True}, payload_keys_secret="keys")

    found = shortcomings(settings(change))

    assert (
        "production lacks network policies: every pod of the cluster can have the codec server decrypt payloads"
        in found
    )
    assert [line for line in found if "payload encryption" in line] == []


def test_secrets_that_workers_mount_must_exist() -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["payload_keys_secret"] = "keys"
        tree["workers"]["credentials_secret"] = {"default": "logins"}

    assert judge(settings(change), FACTS) == [
        "payload_keys_secret: secret keys does not exist in namespace temporal",
        "workers.credentials_secret.default: secret logins does not exist in namespace temporal",
    ]
    assert judge(settings(change), dataclasses.replace(FACTS, secrets=frozenset({"keys", "logins"}))) == []


def test_the_command_prints_an_object_for_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "check", lambda _settings: Findings(("bad",), ("mind",)))

    code = preflight.main(["-s", "local", "--json"])

    assert (code, json.loads(capsys.readouterr().out)) == (1, {"problems": ["bad"], "warnings": ["mind"]})


def test_the_command_refuses_an_unknown_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight.main(["-s", "nope"]) == 2
    assert capsys.readouterr().err.startswith("problem: there is no stack 'nope'; known stacks: ")
