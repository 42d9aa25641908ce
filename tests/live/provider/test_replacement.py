"""What cannot change in place is replaced, and nothing else is."""

PROGRAM = """
again = VALUE or "first"
k8s.core.v1.ConfigMap("named", metadata={"namespace": NAMESPACE, "name": "named"}, data={"key": again})
k8s.core.v1.ConfigMap("unnamed", metadata={"namespace": NAMESPACE}, data={"key": again})
k8s.rbac.v1.RoleBinding(
    "binding", metadata={"namespace": NAMESPACE, "name": "binding"}, subjects=[],
    role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": again},
)
k8s.apps.v1.StatefulSet(
    "pods",
    metadata={"namespace": NAMESPACE, "name": "pods"},
    spec={"replicas": 0, "serviceName": again, "selector": {"matchLabels": {"app": "pods"}},
        "template": {"metadata": {"labels": {"app": "pods"}},
            "spec": {"containers": [{"name": "main", "image": f"lab.local/missing:{again}"}]}}},
)
k8s.policy.v1.PodDisruptionBudget(
    "budget", metadata={"namespace": NAMESPACE, "name": "budget"},
    spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": again}}},
)
"""


def test_immutable_fields_are_replaced(project):
    def uid(kind: str, name: str) -> str:
        return project.get(kind, name)["metadata"]["uid"]

    project.program(PROGRAM)
    project.succeed("up")
    kinds = {"named": "configmap", "binding": "rolebinding", "pods": "statefulset", "budget": "pdb"}
    before = {name: uid(kind, name) for name, kind in kinds.items()}
    unnamed = project.state()["unnamed"]["id"]

    project.value = "second"
    preview = project.pulumi("preview", "--non-interactive")
    assert preview.code == 0, preview.output
    assert preview.counts == {"to update": 1, "to replace": 4, "unchanged": 1}
    assert project.succeed("up") == {"updated": 1, "replaced": 4, "unchanged": 1}

    after = {name: uid(kind, name) for name, kind in kinds.items()}
    assert {name for name in kinds if before[name] != after[name]} == {"named", "binding", "pods"}
    assert project.get("configmap", "named")["data"] == {"key": "second"}
    assert project.get("rolebinding", "binding")["roleRef"]["name"] == "second"
    assert project.get("statefulset", "pods")["spec"]["serviceName"] == "second"
    renewed = project.state()["unnamed"]["id"]
    assert renewed != unnamed
    names = [item["metadata"]["name"] for item in project.get("configmaps")["items"]]
    assert renewed.partition("/")[2] in names
    assert unnamed.partition("/")[2] not in names


def test_a_refused_change_of_a_custom_resource_is_an_error_not_a_replacement(project):
    group = f"{project.namespace}.example.com"
    project.program(f"""
definition = k8s.apiextensions.v1.CustomResourceDefinition(
    "definition",
    metadata={{"name": "stores.{group}"}},
    spec={{
        "group": "{group}", "scope": "Namespaced",
        "names": {{"plural": "stores", "singular": "store", "kind": "Store"}},
        "versions": [{{"name": "v1", "served": True, "storage": True, "schema": {{"openAPIV3Schema": {{
            "type": "object", "properties": {{"spec": {{"type": "object", "properties": {{"size": {{"type": "integer",
            "x-kubernetes-validations": [{{"rule": "self >= oldSelf", "message": "volumes cannot shrink"}}]}}}}}}}}}}}}}}],
    }},
)
k8s.apiextensions.CustomResource(
    "store", api_version="{group}/v1", kind="Store", metadata={{"namespace": NAMESPACE, "name": "store"}},
    spec={{"size": int(VALUE or 3)}}, opts=pulumi.ResourceOptions(depends_on=[definition]),
)
""")
    project.succeed("up")
    before = project.get(f"stores.{group}", "store")["metadata"]["uid"]

    project.value = "2"
    refused = project.fail("up")
    assert len(refused.diagnostics) == 1
    assert refused.diagnostics[0].endswith("volumes cannot shrink")
    assert project.get(f"stores.{group}", "store")["metadata"]["uid"] == before

    project.value = "4"
    assert project.succeed("up") == {"updated": 1, "unchanged": 2}
    assert project.succeed("destroy") == {"deleted": 3}
