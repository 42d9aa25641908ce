"""Create, no-op, update in place, refresh, delete: what every `pulumi up` is made of."""

import base64

PROGRAM = """
settings = k8s.core.v1.ConfigMap("settings", metadata={"namespace": NAMESPACE}, data={"key": "a"})
account = k8s.core.v1.ServiceAccount(
    "account", metadata={"namespace": NAMESPACE, "name": "account", "labels": {"value": VALUE}},
    automount_service_account_token=False,
)
backend = k8s.core.v1.Service(
    "backend",
    metadata={"namespace": NAMESPACE, "name": "backend", "annotations": {"pulumi.com/skipAwait": "true"}},
    spec={"selector": {"app": "backend"}, "ports": [{"name": "http", "port": 80}]},
)
# A value that only the API server can give, used by another resource.
k8s.core.v1.ConfigMap(
    "address", metadata={"namespace": NAMESPACE, "name": "address"}, data={"ip": backend.spec.cluster_ip}
)
pulumi.export("ip", backend.spec.cluster_ip)
pulumi.export("settings", settings.metadata.name)
"""


def config_maps(project) -> set[str]:
    """Names of what is not put into every namespace."""
    return {item["metadata"]["name"] for item in project.get("configmaps")["items"]} - {"kube-root-ca.crt"}


def test_create_then_nothing_then_update_then_destroy(project):
    project.program(PROGRAM)
    project.value = "one"

    preview = project.pulumi("preview", "--non-interactive")
    assert preview.code == 0, preview.output
    assert "ip      : [unknown]" in preview.output
    assert preview.counts == {"to create": 5}
    assert config_maps(project) == set()

    assert project.succeed("up") == {"created": 5}
    ip = project.get("service", "backend")["spec"]["clusterIP"]
    assert project.get("configmap", "address")["data"] == {"ip": ip}
    name = project.state()["settings"]["id"].partition("/")[2]
    assert name.startswith("settings-")
    assert len(name) == len("settings-") + 8
    assert project.get("configmap", name)["data"] == {"key": "a"}

    assert project.succeed("up") == {"unchanged": 5}

    before = project.get("serviceaccount", "account")["metadata"]["uid"]
    project.value = "two"
    assert project.succeed("up") == {"updated": 1, "unchanged": 4}
    account = project.get("serviceaccount", "account")
    assert account["metadata"]["labels"] == {"value": "two"}
    assert account["metadata"]["uid"] == before

    assert project.succeed("destroy") == {"deleted": 5}
    assert config_maps(project) == set()
    assert project.state() == {}


def test_refresh_sees_drift_and_the_next_up_mends_it(project):
    project.program(PROGRAM)
    project.succeed("up")
    project.kubectl.run("-n", project.namespace, "delete", "configmap", "address")
    patch = '{"metadata":{"labels":{"value":"drifted","other":"not-ours"}}}'
    project.kubectl.run("-n", project.namespace, "patch", "serviceaccount", "account", "-p", patch)

    assert project.succeed("refresh") == {"updated": 1, "deleted": 1, "unchanged": 3}
    assert project.state()["account"]["inputs"]["metadata"]["labels"] == {"value": "drifted"}

    refused = project.fail("up")
    assert refused.diagnostics == [
        (
            f'ServiceAccount {project.namespace}/account: Apply failed with 1 conflict: conflict with "kubectl-patch" using v1: '
            '.metadata.labels.value; take the fields over with the annotation pulumi.com/patchForce: "true"'
        )
    ]
    assert project.get("serviceaccount", "account")["metadata"]["labels"]["value"] == "drifted"

    project.succeed("up", PULUMI_K8S_ENABLE_PATCH_FORCE="true")
    labels = project.get("serviceaccount", "account")["metadata"]["labels"]
    assert labels == {"value": "", "other": "not-ours"}
    assert "ip" in project.get("configmap", "address")["data"]


def test_secrets_never_stand_in_clear_in_the_state_or_the_output(project):
    project.program("""
k8s.core.v1.Secret("text", metadata={"namespace": NAMESPACE, "name": "text"}, string_data={"password": "open-" + "sesame"})
k8s.apps.v1.StatefulSet(
    "pods",
    metadata={"namespace": NAMESPACE, "name": "pods"},
    spec={
        "replicas": 1,
        "serviceName": "pods",
        "selector": {"matchLabels": {"app": "pods"}},
        "template": {
            "metadata": {"labels": {"app": "pods"}},
            "spec": {"containers": [{
                "name": "main", "image": "lab.local/missing:1", "imagePullPolicy": "Never",
                "env": [{"name": "PASSWORD", "value": pulumi.Output.secret("under-" + "the-mat")}],
            }]},
        },
    },
    opts=pulumi.ResourceOptions(custom_timeouts={"create": "2s"}),
)
# The class of another kind does not know that this is a Secret.
k8s.yaml.ConfigGroup("group", yaml=[f"{{apiVersion: v1, kind: Secret, metadata: {{name: grouped, namespace: {NAMESPACE}}}, "
    f"stringData: {{password: {'behind-' + 'the-door'}}}}}"])
""")
    run = project.fail("up", "--diff")
    assert "StatefulSet" in run.output
    seen = (
        run.output + project.state_text() + project.pulumi("refresh", "--diff").output + project.state_text()
    )
    for clear in ("open-sesame", "under-the-mat", "behind-the-door"):
        assert clear not in seen
        assert base64.b64encode(clear.encode()).decode() not in seen
    encoded = project.get("secret", "text")["data"]["password"]
    assert base64.b64decode(encoded).decode() == "open-sesame"
    assert project.state()["pods"]["initErrors"]


def test_a_hundred_objects_and_a_large_definition(project):
    group = f"{project.namespace}.example.com"
    project.program(f"""
for number in range(100):
    k8s.core.v1.ConfigMap(f"bulk-{{number}}", metadata={{"namespace": NAMESPACE}}, data={{"number": str(number)}})
definition = k8s.apiextensions.v1.CustomResourceDefinition(
    "definition",
    metadata={{"name": "widgets.{group}"}},
    spec={{
        "group": "{group}", "scope": "Namespaced",
        "names": {{"plural": "widgets", "singular": "widget", "kind": "Widget"}},
        "versions": [{{"name": "v1", "served": True, "storage": True, "schema": {{"openAPIV3Schema": {{
            "type": "object", "description": "x" * 500_000, "properties": {{"spec": {{"type": "object",
            "properties": {{"size": {{"type": "integer"}}}}}}}}}}}}}}],
    }},
)
k8s.apiextensions.CustomResource(
    "widget", api_version="{group}/v1", kind="Widget", metadata={{"namespace": NAMESPACE, "name": "widget"}},
    spec={{"size": 3}}, opts=pulumi.ResourceOptions(depends_on=[definition]),
)
""")
    assert project.succeed("up") == {"created": 103}
    assert project.get(f"widgets.{group}", "widget")["spec"] == {"size": 3}
    assert project.succeed("up") == {"unchanged": 103}
    assert project.succeed("destroy") == {"deleted": 103}
    assert "widgets." + group not in project.kubectl.run("get", "crds")
