"""The zone watcher: what it is told, and how little it may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.infra.recorder import Recording
from tests.infra.support import deployed, external, settings
from zone_watcher.settings import from_environment

NAME = "zone-watcher"


def recording(**watcher: Any) -> Recording:
    def change(values: dict[str, Any]) -> None:
        values["persistence"]["postgres"]["zone_watcher"] = watcher

    return deployed(settings(change))


def variables(found: Recording) -> dict[str, str]:
    (container,) = found.named("Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", "10.0.0.1") for item in container["env"]}


def test_it_understands_what_it_is_told() -> None:
    service = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    told = from_environment({**variables(recording(dead_after_seconds=6)), **service})

    assert told.zones == settings().cluster.zones
    assert (told.namespace, told.database) == (settings().cluster.namespace, "postgres")
    assert {(item.kind, item.service, item.port) for item in told.witnesses} == {
        ("watcher", "zone-watcher", 8082),
        ("database", "postgres-r", 5432),
        ("balancer", "temporal-direct", 7233),
    }
    assert (told.dead_after_seconds, told.cool_down_seconds) == (6.0, 60.0)
    assert told.listen == ("0.0.0.0", 8082)  # noqa: S104  # of the pod


def test_there_is_one_in_each_zone() -> None:
    spec = recording().named("Deployment", NAME)["spec"]
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]

    assert spec["replicas"] == spread["minDomains"] == len(settings().cluster.zones)
    assert spread["whenUnsatisfiable"] == "DoNotSchedule"


def test_its_token_is_mounted_where_it_looks() -> None:
    found = recording()
    pod = found.named("Deployment", NAME)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    (volume,) = pod["volumes"]

    assert pod["serviceAccountName"] == NAME
    assert pod["automountServiceAccountToken"] is False
    assert Path(mount["mountPath"]) == Path(variables(found)["ZONE_WATCHER_ACCOUNT"])
    assert mount["readOnly"] is True
    assert [*volume["projected"]["sources"][0]] == ["serviceAccountToken"]
    assert volume["projected"]["sources"][1]["configMap"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


def test_it_may_do_no_more_than_it_has_to() -> None:
    found = recording()
    roles = {
        role.inputs["metadata"]["namespace"]: {
            (resource, verb)
            for rule in role.inputs["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        for role in found.of_kind("Role")
    }

    assert roles == {
        settings().cluster.namespace: {
            ("pods", "get"),
            ("pods", "delete"),
            ("endpointslices", "list"),
            ("clusters", "get"),
        },
        "kube-node-lease": {("leases", "get")},
    }
    for binding in found.of_kind("RoleBinding"):
        assert binding.inputs["subjects"] == [
            {"kind": "ServiceAccount", "name": NAME, "namespace": settings().cluster.namespace}
        ]


def test_peers_find_each_other_before_they_are_ready() -> None:
    spec = recording().named("Service", NAME)["spec"]

    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_it_can_be_left_out() -> None:
    found = recording(is_enabled=False)

    assert NAME not in {item.name for item in found.of_kind("Deployment")}
    assert not found.of_kind("Role")


def test_databases_of_others_are_not_watched() -> None:
    found = deployed(settings(external))

    assert NAME not in {item.name for item in found.of_kind("Deployment")}
