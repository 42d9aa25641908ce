"""Provider options, kubeconfigs, manifests, error texts, installation."""

import os
import signal
import subprocess

import pytest

from lab.provider import errors, install, kubeconfig, manifests, options
from lab.provider.errors import ApiError, PluginError, UnreachableError
from lab.provider.options import Options


def test_options_win_over_the_environment():
    environment = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}
    args = {
        "context": "lab",
        "enablePatchForce": "false",
        "enableConfigMapMutable": True,
        "version": "4.34.2",
    }
    assert options.refusals(args, environment) == []
    assert options.parse(args, environment) == Options(
        context="lab", is_force=False, is_upsert=True, mutable_kinds=("ConfigMap",)
    )


def test_a_kubeconfig_that_is_json_stays_text():
    assert options.parse({"kubeconfig": '{"a": 1}'}, {}).kubeconfig == '{"a": 1}'


@pytest.mark.parametrize(
    ("args", "environment", "reason"),
    [
        ({"enableServerSideApply": "false"}, {}, "provider option enableServerSideApply is False: this plugin supports true only"),
        ({"deleteUnreachable": True}, {}, "provider option deleteUnreachable is True: this plugin supports false only"),
        ({"enablePatchForce": "maybe"}, {}, "provider option enablePatchForce is 'maybe': must be true or false"),
        (
            {"kubeClientSettings": {}}, {},
            ("provider option kubeClientSettings is not supported by this plugin; supported: kubeconfig, context, cluster, "
            "namespace, clusterIdentifier, enableConfigMapMutable, enableSecretMutable, enablePatchForce, upsertExistingObjects"),
        ),
        ({}, {"PULUMI_K8S_AWAIT_ALL": "true"}, "the environment variable PULUMI_K8S_AWAIT_ALL is not supported by this plugin: unset it"),
    ],
)  # fmt: skip
def test_refused_options(args, environment, reason):
    assert [entry.reason for entry in options.refusals(args, environment)] == [reason]


CONFIG = """
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: own}}
- {name: two, context: {cluster: none, user: u}}
- {name: three, context: {cluster: c, user: plugin}}
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443/"}}]
users: [{name: u, user: {token: t}}, {name: plugin, user: {exec: {command: aws}}}]
"""


def test_kubeconfig_is_read_from_text_and_from_a_file(tmp_path):
    file = tmp_path / "config"
    file.write_text(CONFIG)
    for given in (CONFIG, str(file)):
        found = kubeconfig.load(given)
        assert (found.server, found.namespace, found.headers) == (
            "https://127.0.0.1:6443", "own", {"Authorization": "Bearer t"},
        )  # fmt: skip
    assert "Bearer" not in repr(kubeconfig.load(CONFIG))


@pytest.mark.parametrize(
    ("config", "context", "message"),
    [
        (CONFIG, "four", "the kubeconfig has no context 'four'; it has: one, two, three"),
        (CONFIG, "two", "context 'two' of the kubeconfig names no cluster with a server"),
        (CONFIG, "three", "context 'three': users with 'exec' are not supported by this plugin"),
        ("/nowhere/config", "", "cannot read /nowhere/config: No such file or directory"),
        ("a: [\n", "", "the kubeconfig is not YAML: "),
        ("a:b", "", "kubeconfig a:b: a list of files is not supported by this plugin; name one"),
    ],
)
def test_bad_kubeconfigs_are_one_line(config, context, message):
    with pytest.raises(UnreachableError) as caught:
        kubeconfig.load(config, context)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_manifests_unfold_lists_and_keep_dates_as_text():
    text = "kind: List\nitems:\n- {kind: A}\n- {kind: B, at: 2026-01-02T03:04:05Z}\n---\n---\nkind: C\n"
    assert manifests.decode(text) == [
        {"kind": "A"},
        {"kind": "B", "at": "2026-01-02T03:04:05Z"},
        {"kind": "C"},
    ]


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "the manifest is not YAML: "), ("- 1", "the manifest holds '[1]'")]
)
def test_bad_manifests_are_one_line(text, message):
    with pytest.raises(PluginError) as caught:
        manifests.decode(text)
    assert str(caught.value).startswith(message)


def test_errors_hide_long_echoed_values():
    template = 'core.PodTemplateSpec{Env:[]core.EnvVar{{Name:"PASSWORD", Value:"hunter2"}}' + " " * 200 + "}"
    message = f'Job.batch "task" is invalid: spec.template: Invalid value: {template}: field is immutable'
    error = ApiError(422, {"message": message, "details": {"causes": [{"field": "spec.template"}]}})
    hidden = f"(…{len(template)} characters)"
    assert (
        str(error)
        == f'Job.batch "task" is invalid: spec.template: Invalid value: {hidden}: field is immutable'
    )
    assert error.fields == ("spec.template",)
    assert error.is_immutability is True
    assert errors.cut_values('x: Invalid value: "a": bad') == 'x: Invalid value: "a": bad'


@pytest.mark.parametrize(
    ("code", "message", "answer"),
    [
        (422, "spec: Forbidden: updates to statefulset spec for fields other than ... are forbidden", True),
        (422, "roleRef: Invalid value: ...: cannot change roleRef", False),
        (403, "field is immutable", False),
    ],
)
def test_immutability_is_told_by_code_and_words(code, message, answer):
    assert ApiError(code, {"message": message}).is_immutability is answer


def test_install_is_idempotent_and_runs_from_anywhere(tmp_path):
    target = install.install_plugin(tmp_path)
    assert (
        target
        == tmp_path
        / "plugins"
        / f"resource-kubernetes-v{install.plugin_version()}"
        / "pulumi-resource-kubernetes"
    )
    assert os.access(target, os.X_OK)
    before = target.stat()
    assert install.install_plugin(tmp_path) == target
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    target.write_text("broken")
    install.install_plugin(tmp_path)
    assert [entry.name for entry in target.parent.iterdir()] == ["pulumi-resource-kubernetes"]

    running = subprocess.Popen(
        [target], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert running.stdout is not None
    try:
        assert 1024 < int(running.stdout.readline()) < 65536
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=4) == 0
        running.stdout.close()
