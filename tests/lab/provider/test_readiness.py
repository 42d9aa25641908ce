"""Readiness of live objects, and the words for what is missing."""

import pytest

from lab.provider import explain, waitfor
from lab.provider.readiness import Failed, Query, Ready, Waiting, query, readiness

SEEN = {"generation": 2, "name": "x", "namespace": "n"}


def workload(kind: str, spec: dict, api_version: str = "apps/v1", **status) -> dict:
    return {
        "apiVersion": api_version, "kind": kind, "metadata": SEEN, "spec": spec,
        "status": {"observedGeneration": 2, **status},
    }  # fmt: skip


def deployment(**status) -> dict:
    return workload("Deployment", {"replicas": 3}, **status)


def conditions(*entries: tuple[str, str, str, str]) -> list[dict]:
    return [dict(zip(("type", "status", "reason", "message"), entry, strict=True)) for entry in entries]


UNSEEN = Waiting("the controller has not seen the new specification yet")
CASES = {
    "deployment unseen": (deployment(observedGeneration=1, updatedReplicas=3, availableReplicas=3, replicas=3), UNSEEN),
    "deployment rolling": (
        deployment(updatedReplicas=3, availableReplicas=2, replicas=4),
        Waiting("2/3 available, 3 up to date, 1 of the old revision still there"),
    ),
    "deployment with one old": (
        deployment(updatedReplicas=3, availableReplicas=3, replicas=4),
        Waiting("3/3 available, 3 up to date, 1 of the old revision still there"),
    ),
    "deployment done": (deployment(updatedReplicas=3, availableReplicas=3, replicas=3), Ready()),
    "deployment stuck": (
        deployment(conditions=conditions(("Progressing", "False", "ProgressDeadlineExceeded", "too slow"))),
        Failed("ProgressDeadlineExceeded: too slow"),
    ),
    "deployment of none": (workload("Deployment", {"replicas": 0}), Ready()),
    "stateful set starting": (workload("StatefulSet", {"replicas": 2}), Waiting("0/2 ready, 2 up to date")),
    "stateful set rolling": (
        workload("StatefulSet", {"replicas": 2}, readyReplicas=2, updatedReplicas=1, currentRevision="a", updateRevision="b"),
        Waiting("2/2 ready, 1 up to date"),
    ),
    "stateful set with a partition": (
        workload(
            "StatefulSet", {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            readyReplicas=2, updatedReplicas=1, currentRevision="a", updateRevision="b",
        ),
        Ready(),
    ),
    "daemon set": (
        workload("DaemonSet", {}, desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=2),
        Waiting("2/3 available, 3 up to date"),
    ),
    "job running": (
        workload("Job", {"completions": 2}, "batch/v1", succeeded=1, active=1, failed=1),
        Waiting("1/2 completions, 1 active, 1 failed"),
    ),
    "job failed": (
        workload("Job", {}, "batch/v1", conditions=conditions(("Failed", "True", "BackoffLimitExceeded", "too often"))),
        Failed("BackoffLimitExceeded: too often"),
    ),
    "job done": (workload("Job", {}, "batch/v1", conditions=conditions(("Complete", "True", "", ""))), Ready()),
    "job suspended": (workload("Job", {"suspend": True}, "batch/v1"), Ready()),
    "pod pending": (workload("Pod", {}, "v1", phase="Pending"), Waiting("phase Pending")),
    "pod failed": (workload("Pod", {}, "v1", phase="Failed", reason="Evicted"), Failed("Evicted")),
    "volume lost": (workload("PersistentVolumeClaim", {}, "v1", phase="Lost"), Failed("its volume is lost")),
    "headless service": (workload("Service", {"selector": {"a": "b"}, "clusterIP": "None"}, "v1"), Ready()),
    "load balancer": (workload("Service", {"type": "LoadBalancer"}, "v1"), Waiting("no load balancer address")),
    "definition": (
        workload("CustomResourceDefinition", {}, "apiextensions.k8s.io/v1", conditions=conditions(("Established", "False", "", ""))),
        Waiting("not established"),
    ),
    "definition clash": (
        workload(
            "CustomResourceDefinition", {}, "apiextensions.k8s.io/v1",
            conditions=conditions(("NamesAccepted", "False", "Clash", "things exists")),
        ),
        Failed("Clash: things exists"),
    ),
    "no rule": (workload("Cluster", {}, "postgresql.cnpg.io/v1"), Ready()),
}  # fmt: skip


@pytest.mark.parametrize(("obj", "answer"), CASES.values(), ids=CASES)
def test_rules(obj, answer):
    assert readiness(obj) == answer


def test_a_service_needs_a_ready_endpoint():
    service = workload("Service", {"selector": {"a": "b"}, "clusterIP": "10.0.0.1"}, "v1")
    wanted = Query("/apis/discovery.k8s.io/v1/namespaces/n/endpointslices", "kubernetes.io/service-name=x")
    assert query(service) == wanted
    assert readiness(service) == Waiting("no ready endpoints")
    assert readiness(service, [{"endpoints": [{"conditions": {"ready": False}}]}]) == Waiting(
        "no ready endpoints"
    )
    assert readiness(service, [{"endpoints": [{"conditions": {"ready": True}}]}]) == Ready()


def test_a_claim_waits_only_where_its_class_binds_at_once():
    claim = workload("PersistentVolumeClaim", {"storageClassName": "lab"}, "v1", phase="Pending")
    assert query(claim) == Query("/apis/storage.k8s.io/v1/storageclasses/lab")
    assert readiness(claim, [{"volumeBindingMode": "Immediate"}]) == Waiting("phase Pending")
    assert readiness(claim, [{"volumeBindingMode": "WaitForFirstConsumer"}]) == Ready()


def test_annotations_take_the_place_of_the_rule():
    skipping = deployment()
    skipping["metadata"] = {**SEEN, "annotations": {"pulumi.com/skipAwait": "true"}}
    assert readiness(skipping) == Ready()
    chosen = deployment(conditions=conditions(("Available", "True", "", "")))
    chosen["metadata"] = {**SEEN, "annotations": {"pulumi.com/waitFor": "condition=Available"}}
    assert readiness(chosen) == Ready()


CLUSTER = {
    "metadata": {"generation": 3},
    "status": {
        "phase": "Cluster in healthy state",
        "ready": 3,
        "list": [{"a": "x"}, {"a": "x"}],
        "conditions": [{"type": "Ready", "status": "False", "reason": "NotYet", "message": "2 of 3"}],
    },
}


@pytest.mark.parametrize(
    ("annotation", "missing"),
    [
        ("condition=Ready", ["condition Ready is False, not True (NotYet: 2 of 3)"]),
        ("condition=Ready=False", [""]),
        ("condition=Other", ["condition Other is not there yet"]),
        ("jsonpath={.status.phase}=Cluster in healthy state", [""]),
        ("jsonpath={.status.ready}=3", [""]),
        ("jsonpath={.status.ready}", [""]),
        ("jsonpath={.status.ready}=2", ["{.status.ready} is '3', not '2'"]),
        ("jsonpath={.status.list[*].a}=x", [""]),
        ("jsonpath={.status.list[1].a}=y", ["{.status.list[1].a} is 'x', not 'y'"]),
        ("jsonpath={.status.gone}", ["{.status.gone} is not there yet"]),
        ('["condition=Ready=False", "jsonpath={.status.ready}=4"]', ["", "{.status.ready} is '3', not '4'"]),
    ],
)
def test_wait_for(annotation, missing):
    assert [expression.missing(CLUSTER) for expression in waitfor.parse(annotation)] == missing


def test_a_condition_about_an_older_generation_does_not_count():
    entry = {"type": "Ready", "status": "True", "observedGeneration": 2}
    obj = {"metadata": {"generation": 3}, "status": {"conditions": [entry]}}
    assert waitfor.parse("condition=Ready")[0].missing(obj) == "condition Ready is about an older generation"


@pytest.mark.parametrize(
    "annotation", ["", "ready", "condition=", "[]", "jsonpath={.a[?(@.b==1)]}", "jsonpath={..a}"]
)
def test_wait_for_refuses_what_it_does_not_understand(annotation):
    with pytest.raises(ValueError, match="must be"):
        waitfor.parse(annotation)


def test_explanations_name_pod_container_and_reason():
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pods = [
        {
            "metadata": {"name": "web-1"},
            "status": {"containerStatuses": [{"name": "main", "state": {"waiting": waiting}}]},
        },
        {
            "metadata": {"name": "web-2"},
            "status": {"conditions": conditions(("PodScheduled", "False", "Unschedulable", "no node"))},
        },
        {
            "metadata": {"name": "web-3"},
            "status": {
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {"terminated": {"reason": "Error", "exitCode": 3, "message": "bad flag"}},
                    }
                ]
            },
        },
        {
            "metadata": {"name": "web-4"},
            "status": {
                "phase": "Running",
                "conditions": conditions(("Ready", "False", "ContainersNotReady", "unready: [main]")),
            },
        },
    ]
    assert explain.lines(deployment(), pods, []) == [
        "pod web-1, container main: ImagePullBackOff no such image",
        "pod web-2: Unschedulable: no node",
        "pod web-3, container main: Error exit code 3 bad flag",
        "pod web-4: ContainersNotReady: unready: [main]",
    ]


def test_explanations_fall_back_on_conditions_and_events():
    refused = deployment(
        conditions=conditions(("ReplicaFailure", "True", "FailedCreate", "violates PodSecurity"))
    )
    events: list = [
        {"type": "Normal", "reason": "A", "message": "a"},
        {"type": "Warning", "reason": "FailedCreate", "message": "forbidden"},
    ]
    assert explain.lines(refused, [], events) == [
        "Deployment: FailedCreate: violates PodSecurity",
        "FailedCreate: forbidden",
    ]


def test_explanations_stay_short():
    pods: list = [{"metadata": {"name": f"web-{i}"}, "status": {"phase": "Pending"}} for i in range(9)]
    found = explain.lines(deployment(), pods, [])
    assert len(found) == 6
    assert found[-1] == "and 4 more"


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        ({"kind": "Deployment", "spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}, "a=1,b=2"),
        ({"kind": "Service", "spec": {"selector": {"a": "1"}}}, "a=1"),
        (
            {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}},
            "cnpg.io/cluster=db",
        ),
        ({"kind": "ConfigMap"}, ""),
    ],
)
def test_selectors(obj, selector):
    assert explain.selector(obj) == selector
