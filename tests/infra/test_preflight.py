"""Preflight: what is judged of a cluster that was seen, and what is said of one that cannot be."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra import dynamic_config_check, preflight, run
from infra.dynamic_config_check import check_dynamic_config, problems_of
from infra.kubeconfig import KubeconfigError, find, paths
from infra.preflight import ClusterFacts, ClusterUnavailableError, Findings, judge, observe, shortcomings
from tests.infra.recorder import record
from tests.infra.support import external, settings, tree

UID = "0b6a9c1e-0000-4000-8000-000000000000"

FACTS = ClusterFacts(uid=UID, zones=frozenset({"a", "b", "c"}), storage_classes=frozenset({"fast"}))
"""A cluster that suits the stack of the tests."""


def cluster(**values: Any) -> Any:
    return lambda tree: tree["cluster"].update(values)


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a kubeconfig whose context `test` leads to a port that nobody listens on."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "none"}}],
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def test_a_suitable_cluster_is_not_refused() -> None:
    assert judge(settings(cluster(uid=UID, storage_class="fast")), FACTS) == []


def test_a_cluster_with_the_same_shards_is_not_refused() -> None:
    assert judge(settings(), dataclasses.replace(FACTS, history_shards=4)) == []


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
                "temporal.history_shards: 4 cannot replace 512: the number is fixed for the life of a cluster; "
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


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "contexts: [\n",
            "is not YAML: while parsing a flow node expected the node content, but found '<stream end>' in "
            '"<unicode string>", line 2, column 1: ^',
        ),
        ("nonsense\n", "is not a kubeconfig: 'str' object has no attribute 'get'"),
        ("contexts: 3\n", "is not a kubeconfig: 'int' object is not iterable"),
    ],
)
def test_a_malformed_kubeconfig_is_one_line(kubeconfig: Path, text: str, line: str) -> None:
    kubeconfig.write_text(text)

    with pytest.raises(ClusterUnavailableError) as refused:
        observe(settings())

    assert str(refused.value) == f"cluster.context: kubeconfig {kubeconfig} {line}"


def test_of_several_kubeconfigs_the_first_that_has_the_context_counts(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing, second = tmp_path / "missing", tmp_path / "second"
    second.write_text(kubeconfig.read_text().replace("127.0.0.1:1", "127.0.0.1:2"))
    third = tmp_path / "third"
    third.write_text(kubeconfig.read_text().replace('"test"', '"third"'))

    monkeypatch.setenv("KUBECONFIG", f"{missing}:{third}::{kubeconfig}:{second}")

    assert (find("test").cluster.server, find("third").fname) == ("https://127.0.0.1:1", third)
    with pytest.raises(KubeconfigError) as refused:
        find("none")
    assert str(refused.value) == (
        f"cluster.context: kubeconfig {missing} has no usable context none: Configuration file {missing} not found; "
        f"kubeconfig {third} has no usable context none: Context 'none' not found; "
        f"kubeconfig {kubeconfig} has no usable context none: Context 'none' not found; "
        f"kubeconfig {second} has no usable context none: Context 'none' not found"
    )


def test_without_kubeconfig_kubectls_default_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert paths() == [tmp_path / ".kube" / "config"]


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
        "images without a digest",
    ]
    assert shortcomings(settings()) == []


def test_the_validators_warnings_are_problems() -> None:
    output = """dynamic.yaml
  warning: unregistered key "frontend.rpsx"
  warning: validation failed: key "frontend.rps" value x: value type is not int
"""

    assert problems_of(output) == [
        'temporal.dynamic_config: unregistered key "frontend.rpsx"',
        'temporal.dynamic_config: validation failed: key "frontend.rps" value x: value type is not int',
    ]
    assert problems_of("dynamic.yaml\n") == []


@pytest.fixture
def server_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a `temporal-server` on PATH that says a version, and otherwise repeats the file with a warning."""

    def place(version: str | None) -> None:
        if version:
            script = tmp_path / "temporal-server"
            script.write_text(
                f'#!/bin/sh\n[ "$1" = --version ] && echo temporal version {version} && exit 0\n'
                '[ "$1" = validate-dynamic-config ] && grep -q nonsense "$2" && echo \'  warning: bad key\'\n'
                "exit 0\n"
            )
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return place


def nonsense(values: dict[str, Any]) -> None:
    values["temporal"]["dynamic_config"] = {"nonsense": 1}


def test_a_dynamic_configuration_that_the_server_warns_about_is_refused(server_on_path: Any) -> None:
    server_on_path("1.32.1")

    assert check_dynamic_config(settings()) == ([], [])
    assert check_dynamic_config(settings(nonsense)) == (["temporal.dynamic_config: bad key"], [])


@pytest.mark.parametrize(
    ("version", "warning"),
    [
        (None, "dynamic configuration was not checked: temporal-server 1.32.1 is not on PATH"),
        ("1.31.2", "dynamic configuration was not checked: temporal-server on PATH is 1.31.2, not 1.32.1"),
    ],
)
def test_a_validator_of_another_version_is_not_believed(
    server_on_path: Any, version: str | None, warning: str
) -> None:
    server_on_path(version)

    assert check_dynamic_config(settings(nonsense)) == ([], [warning])


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (
            "echo panic: oh; echo '  exit status 2 '; exit 2",
            "the validator ended with 2 and said: exit status 2",
        ),
        ("exit 3", "the validator ended with 3 and said: nothing"),
        ("echo 'error: no such command'; exit 1", "no such command"),
        ("exec sleep 30", "temporal-server did not judge it within 1 s"),
    ],
)
def test_a_validator_that_fails_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, line: str
) -> None:
    binary = tmp_path / "temporal-server"
    binary.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo 1.32.1 && exit 0\n{script}\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(dynamic_config_check, "_TIMEOUT_SECONDS", 1)

    assert check_dynamic_config(settings()) == ([f"temporal.dynamic_config: {line}"], [])


def test_a_validator_that_cannot_be_run_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "temporal-server"
    binary.write_bytes(b"\x7fELF")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert check_dynamic_config(settings()) == (
        [f"temporal.dynamic_config: {binary} cannot be run: Exec format error"],
        [],
    )


def test_the_command_prints_an_object_for_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "check", lambda _settings: Findings(("bad",), ("mind",)))

    code = preflight.main(["-s", "local", "--json"])

    assert (code, json.loads(capsys.readouterr().out)) == (1, {"problems": ["bad"], "warnings": ["mind"]})


def test_the_command_refuses_an_unknown_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert preflight.main(["-s", "nope"]) == 2
    assert capsys.readouterr().err.startswith("problem: there is no stack 'nope'; known stacks: ")
