"""What is refused, and that a refusal leaves cluster and state as they were."""

OBJECT = """
k8s.core.v1.ServiceAccount(
    "account", metadata={"namespace": NAMESPACE, "name": "account", "labels": {"value": VALUE}},
    automount_service_account_token=False,
)
"""
BY_SOMEBODY_ELSE = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account"}}


def somebody_makes_it(project) -> str:
    metadata = {"name": "account", "namespace": project.namespace}
    project.kubectl.apply({**BY_SOMEBODY_ELSE, "metadata": metadata})
    return project.get("serviceaccount", "account")["metadata"]["uid"]


def test_what_is_not_modelled_is_refused_all_at_once(project):
    project.program("""
k8s.networking.v1.Ingress(
    "ingress",
    metadata={"namespace": NAMESPACE, "name": "ingress", "annotations": {
        "pulumi.com/replaceUnready": "true", "pulumi.com/timeoutSeconds": "5m"}},
    spec={"defaultBackend": {"service": {"name": "x", "port": {"number": 1}}}},
)
""")
    output = " ".join(project.fail("preview", "--non-interactive").output.split())
    for wanted in (
        'waiting for Ingress is not supported by this plugin: set the annotation pulumi.com/skipAwait: "true"',
        'metadata.annotations["pulumi.com/replaceUnready"]',
        "is '5m': must be a whole number of seconds",
    ):
        assert wanted in output


def test_unknown_provider_options_are_refused(project):
    project.program("""
provider = k8s.Provider("provider", render_yaml_to_directory="out", delete_unreachable=True)
k8s.core.v1.ServiceAccount("account", metadata={"namespace": NAMESPACE}, opts=pulumi.ResourceOptions(provider=provider))
""")
    output = project.fail("preview", "--non-interactive").output
    assert "provider option renderYamlToDirectory is not supported by this plugin" in output
    assert "provider option deleteUnreachable is True: this plugin supports false only" in output


def test_unknown_fields_are_refused_before_anything_is_made(project):
    project.program("""
k8s.apiextensions.CustomResource(
    "map", api_version="v1", kind="ConfigMap", metadata={"namespace": NAMESPACE, "name": "map"}, spec={"key": "a"}
)
""")
    refused = project.fail("preview", "--non-interactive")
    assert [line for line in refused.diagnostics if line.endswith(".spec: field not declared in schema")]
    assert project.kubectl.try_run("-n", project.namespace, "get", "configmap", "map").returncode != 0


def test_an_unreachable_api_server_is_one_line(project, tmp_path):
    project.program(OBJECT)
    config = tmp_path / "nowhere"
    config.write_text("""
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
""")
    for command in (("preview", "--non-interactive"), ("up",)):
        run = project.fail(*command, KUBECONFIG=str(config))
        lines = [line for line in run.output.splitlines() if "cannot reach the Kubernetes API server" in line]
        assert {line.strip().partition("cannot reach ")[2] for line in lines} == {
            (
                "the Kubernetes API server https://127.0.0.1:9: "
                "Cannot connect to host 127.0.0.1:9 ssl:default [Connect call failed ('127.0.0.1', 9)]"
            )
        }


def test_an_object_of_somebody_else_is_neither_taken_over_nor_deleted(project):
    project.program(OBJECT)
    theirs = somebody_makes_it(project)
    refused = project.fail("up")
    assert refused.diagnostics == [
        (
            f"ServiceAccount {project.namespace}/account already exists; this resource did not create it: import it, delete "
            "it, or take it over with upsertExistingObjects (PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true)"
        )
    ]
    assert "account" not in project.state()

    project.kubectl.run("-n", project.namespace, "delete", "serviceaccount", "account")
    project.succeed("up")
    project.kubectl.run("-n", project.namespace, "delete", "serviceaccount", "account")
    theirs = somebody_makes_it(project)
    assert project.succeed("destroy") == {"deleted": 2}
    assert project.get("serviceaccount", "account")["metadata"]["uid"] == theirs


def test_an_interrupted_create_is_taken_up_again(project):
    project.program(OBJECT)
    project.succeed("up")
    before = project.get("serviceaccount", "account")["metadata"]["uid"]
    # As after kill -9 between the API server's answer and the engine's note of it.
    urn = project.state()["account"]["urn"]
    assert project.pulumi("state", "delete", urn, "--yes").code == 0
    project.value = "again"
    assert project.succeed("up") == {"created": 1, "unchanged": 1}
    account = project.get("serviceaccount", "account")["metadata"]
    assert (account["uid"], account["labels"]) == (before, {"value": "again"})
