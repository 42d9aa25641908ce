"""What a cluster lacks, and who may drill it."""

import pytest

from load_tests.drills.site import lacking, site_of
from load_tests.errors import LoadTestError
from load_tests.stack import Target
from worker.demo.deployments import DEFAULT_TENANTS


def thing(name, *, ready="True", labels=None, namespace="stack", is_going=False):
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    if is_going:
        metadata["deletionTimestamp"] = "now"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


HISTORY = {"app": "history", "part": "temporal"}
WANTED = {"history": ("stack", "app=history,part=temporal", 2)}


def test_everything_is_ready():
    pods = [
        thing("a", labels=HISTORY),
        thing("b", labels={**HISTORY, "more": "x"}),
        thing("c", ready="False"),
    ]
    assert lacking([thing("node-a")], pods, WANTED) == []


@pytest.mark.parametrize(
    "pod",
    [
        thing("b", labels=HISTORY, ready="False"),
        thing("b", labels=HISTORY, is_going=True),
        thing("b", labels=HISTORY, namespace="other"),
        thing("b", labels={"app": "history"}),
    ],
)
def test_a_pod_is_lacking(pod):
    assert lacking([], [thing("a", labels=HISTORY), pod], WANTED) == ["history 1 of 2"]


def test_a_node_is_lacking():
    assert lacking([thing("node-a"), thing("node-b", ready="Unknown")], [], {}) == ["node node-b"]


@pytest.mark.parametrize(
    ("namespace", "is_allowed", "message"),
    [
        ("", True, "--stack: production has no cluster; drills need one, for example local"),
        (
            "x",
            False,
            "--stack: on production no drills are allowed; `drills.is_allowed: true` in the stack allows them",
        ),
    ],
)
def test_where_drills_are_not_allowed_nothing_is_touched(namespace, is_allowed, message):
    target = Target(
        "production", "a:1", {}, DEFAULT_TENANTS, "http://r",
        kubernetes_namespace=namespace, is_drill_allowed=is_allowed,
    )  # fmt: skip
    with pytest.raises(LoadTestError) as error:
        site_of(target)
    assert str(error.value) == message
