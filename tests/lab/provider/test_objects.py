"""Identity, desired objects, outputs, names, refusals."""

import base64

import pytest

from lab.provider import objects, replacement, wire
from lab.provider.objects import Refusal


def config_map(**annotations) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}}


def test_identity_ignores_the_api_version():
    old = {"apiVersion": "autoscaling/v1", "kind": "HPA", "metadata": {"name": "a"}}
    assert objects.identity(old) == objects.identity({**old, "apiVersion": "autoscaling/v2"})
    assert objects.identity(old) != objects.identity({**old, "apiVersion": "other/v1"})


def test_desired_moves_clear_text_into_data_and_drops_status():
    inputs = {
        "apiVersion": "v1", "kind": "Secret", "stringData": {"a": "x"}, "data": {"b": "eQ=="}, "status": {},
    }  # fmt: skip
    wanted = objects.desired(inputs)
    assert wanted == {
        "apiVersion": "v1",
        "kind": "Secret",
        "data": {"b": "eQ==", "a": base64.b64encode(b"x").decode()},
    }
    assert objects.live_string_data(inputs, {"data": {"a": "eg==", "b": "eQ=="}}) == {"a": "z"}


def test_outputs_protect_a_secret_and_hide_the_managers():
    live = {
        "apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="},
        "metadata": {"name": "s", "managedFields": [1], "annotations": {objects.LAST_APPLIED: "{}", "kept": "1"}},
    }  # fmt: skip
    assert objects.outputs({"stringData": {"a": "x"}}, live, "manager") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "data": wire.secret({"a": "eA=="}),
        "stringData": wire.secret({"a": "x"}),
        "metadata": {"name": "s", "annotations": {"kept": "1"}},
        "__fieldManager": "manager",
    }


def test_field_managers():
    derived = objects.field_manager("urn:a", {}, {})
    assert derived.startswith("pulumi-kubernetes-")
    assert derived == objects.field_manager("urn:a", {}, {})
    assert derived != objects.field_manager("urn:b", {}, {})
    assert objects.field_manager("urn:b", {}, {"__fieldManager": derived}) == derived
    assert objects.field_manager("urn:b", config_map(**{objects.PATCH_FIELD_MANAGER: "own"}), {}) == "own"


def test_generated_names_fit():
    assert objects.generated_name("Web", b"\xab\xcd\xef\x01\x02") == "web-abcdef01"
    assert len(objects.generated_name("x" * 300, b"\x00" * 8)) == 253


@pytest.mark.parametrize(
    ("token", "inputs", "refused"),
    [
        ("kubernetes:core/v1:ConfigMap", config_map(), []),
        (
            "kubernetes:core/v1:ConfigMapPatch",
            config_map(),
            [
                Refusal(
                    "kind",
                    "ConfigMapPatch resources are not supported by this plugin: declare the ConfigMap itself",
                )
            ],
        ),
        (
            "kubernetes:helm.sh/v3:Release",
            {"chart": "x"},
            [
                Refusal(
                    "",
                    "kubernetes:helm.sh/v3:Release is not supported by this plugin: declare the objects themselves",
                )
            ],
        ),
        ("kubernetes:core/v1:ConfigMap", {}, [Refusal("kind", "apiVersion and kind are required")]),
        (
            "kubernetes:core/v1:ConfigMapList",
            {"apiVersion": "v1", "kind": "ConfigMapList", "items": []},
            [
                Refusal(
                    "kind", "ConfigMapList is not supported by this plugin: declare each item as a resource"
                )
            ],
        ),
        (
            "kubernetes:core/v1:ConfigMap",
            config_map(
                **{objects.TIMEOUT_SECONDS: "5m", objects.SKIP_AWAIT: "yes", objects.PROPAGATION: "now"}
            ),
            [
                Refusal(
                    'metadata.annotations["pulumi.com/timeoutSeconds"]',
                    "is '5m': must be a whole number of seconds",
                ),
                Refusal(
                    'metadata.annotations["pulumi.com/skipAwait"]', 'is \'yes\': must be "true" or "false"'
                ),
                Refusal(
                    'metadata.annotations["pulumi.com/deletionPropagationPolicy"]',
                    "is 'now': must be one of foreground, background, orphan",
                ),
            ],
        ),
        ("kubernetes:core/v1:ConfigMap", config_map(**{objects.WAIT_FOR: "condition=Ready"}), []),
    ],
)
def test_refusals(token, inputs, refused):
    assert objects.refusals(token, inputs) == refused


@pytest.mark.parametrize("annotation", [objects.SKIP_AWAIT, objects.WAIT_FOR])
def test_an_ingress_needs_to_say_how_it_is_waited_for(annotation):
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}}
    token = "kubernetes:networking.k8s.io/v1:Ingress"
    assert [entry.path for entry in objects.refusals(token, ingress)] == ["kind"]
    value = "true" if annotation == objects.SKIP_AWAIT else "condition=Ready"
    ingress["metadata"]["annotations"] = {annotation: value}
    assert objects.refusals(token, ingress) == []


@pytest.mark.parametrize(
    ("api_version", "kind", "changed", "replaced"),
    [
        ("v1", "ConfigMap", ["data.a", "metadata.labels.b"], ["data.a"]),
        ("v1", "Secret", ["stringData.a", "type"], []),
        ("batch/v1", "Job", ["spec.template.spec.containers[0].image", "spec.suspend"], ["spec.template.spec.containers[0].image"]),
        ("batch/v1", "Job", ["spec.templates"], []),
        ("apps/v1", "StatefulSet", ["spec.replicas", "spec.serviceName"], ["spec.serviceName"]),
        ("apps/v1", "Deployment", ["spec.replicas"], []),
        ("postgresql.cnpg.io/v1", "Cluster", ["spec.instances"], []),
    ],
)  # fmt: skip
def test_ruled_replacements(api_version, kind, changed, replaced):
    obj = {"apiVersion": api_version, "kind": kind}
    assert replacement.ruled(obj, changed, mutable=("Secret",)) == replaced


@pytest.mark.parametrize(
    ("api_version", "answer"),
    [
        ("v1", True),
        ("apps/v1", True),
        ("rbac.authorization.k8s.io/v1", True),
        ("postgresql.cnpg.io/v1", False),
    ],
)
def test_custom_resources_are_never_replaced_for_a_refusal(api_version, answer):
    assert replacement.may_ask({"apiVersion": api_version, "kind": "X"}) is answer
