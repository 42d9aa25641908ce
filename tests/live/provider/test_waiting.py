"""Waiting for readiness: success, failure with its reason, time-outs, cancel, deletes that hang."""

import signal
import subprocess
import threading
import time

import pytest

from tests.live.conftest import Kubectl

WORKLOAD = """
def pod(image="lab.local/temporal-admin-tools:1.32.1", command=("sleep", "3600"), **spec):
    container = {
        "name": "main", "image": image, "imagePullPolicy": "Never", "command": list(command),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {
        "containers": [container], "securityContext": security, "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False, **spec,
    }}

def limit(seconds):
    return pulumi.ResourceOptions(custom_timeouts={"create": seconds, "update": seconds, "delete": seconds})
"""
DEPLOYMENT = """
k8s.apps.v1.Deployment(
    "web", metadata={"namespace": NAMESPACE, "name": "web"}, opts=limit("6s" if "missing" in VALUE else "60s"),
    spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": pod(image=VALUE)},
)
k8s.core.v1.Service(
    "web", metadata={"namespace": NAMESPACE, "name": "web"}, opts=limit("60s"),
    spec={"selector": {"app": "web"}, "ports": [{"port": 80}]},
) if "missing" not in VALUE else None
"""
JOB = """
k8s.batch.v1.Job(
    "task", metadata={"namespace": NAMESPACE, "name": "task"}, opts=limit("60s"),
    spec={"backoffLimit": 0, "template": pod(command=["sh", "-c", f"exit {VALUE}"], restartPolicy="Never")},
)
"""
THING = """
k8s.apiextensions.CustomResource(
    "thing", api_version="plugin-test.example.com/v1", kind="Thing",
    metadata={"namespace": NAMESPACE, "name": "thing", "annotations": {
        "pulumi.com/waitFor": '["condition=Ready", "jsonpath={.status.phase}=Cluster in healthy state"]',
        "pulumi.com/timeoutSeconds": "60",
    }},
    opts=limit("3s") if VALUE else None,
)
"""


@pytest.fixture(scope="module")
def thing_definition(cluster_env):
    """A kind whose status only the test sets."""
    kubectl = Kubectl(cluster_env)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    names = {"plural": "things", "singular": "thing", "kind": "Thing"}
    kubectl.apply({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.plugin-test.example.com"},
        "spec": {"group": "plugin-test.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    })  # fmt: skip
    kubectl.run("wait", "--for=condition=Established", "crd/things.plugin-test.example.com", "--timeout=20s")
    yield
    kubectl.run("delete", "crd", "things.plugin-test.example.com", "--timeout=60s")


def make_ready(project) -> None:
    status = (
        '{"status":{"phase":"Cluster in healthy state","conditions":'
        '[{"type":"Ready","status":"True","reason":"Done","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}'
    )
    arguments = (
        "-n",
        project.namespace,
        "patch",
        "thing",
        "thing",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    )
    deadline = time.monotonic() + 60
    while project.kubectl.try_run(*arguments).returncode != 0:
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_a_deployment_that_cannot_start_says_why_and_is_mended_by_the_next_up(project):
    project.program(WORKLOAD + DEPLOYMENT)
    project.value = "lab.local/missing:1"
    run = project.fail("up")
    first, second = run.diagnostics[:2]
    name = f"{project.namespace}/web"
    assert first == f"Deployment {name} is not ready: timed out after 6 s: 0/1 available, 1 up to date"
    assert second.startswith("pod web-")
    assert 'container main: ErrImageNeverPull Container image "lab.local/missing:1" is not present' in second
    assert project.state()["web"]["initErrors"] == run.diagnostics[:2]

    project.value = "lab.local/temporal-admin-tools:1.32.1"
    assert project.succeed("up") == {"created": 1, "updated": 1, "unchanged": 1}
    assert project.get("deployment", "web")["status"]["availableReplicas"] == 1
    assert project.succeed("up") == {"unchanged": 3}


def test_a_failed_job_fails_at_once_and_a_done_one_is_done(project):
    project.program(WORKLOAD + JOB)
    project.value = "1"
    started = time.monotonic()
    run = project.fail("up")
    assert time.monotonic() - started < 50
    wanted = f"Job {project.namespace}/task is not ready: failed: BackoffLimitExceeded: "
    assert run.diagnostics[0] == wanted + "Job has reached the specified backoff limit"
    assert "exit code 1" in run.diagnostics[1]

    project.value = "0"
    assert project.succeed("up") == {"replaced": 1, "unchanged": 1}
    assert project.get("job", "task")["status"]["succeeded"] == 1


@pytest.mark.usefixtures("thing_definition")
def test_a_custom_resource_is_waited_for_by_its_annotation(project):
    project.program(WORKLOAD + THING)
    project.value = "impatient"
    run = project.fail("up")
    assert run.diagnostics == [
        (
            f"Thing {project.namespace}/thing is not ready: timed out after 3 s: condition Ready is not there yet; "
            "{.status.phase} is not there yet"
        )
    ]
    project.value = ""
    later = threading.Timer(4, make_ready, [project])
    later.start()
    assert project.succeed("up") == {"updated": 1, "unchanged": 1}
    later.join()
    assert project.succeed("up") == {"unchanged": 2}


@pytest.mark.usefixtures("thing_definition")
def test_cancel_records_what_exists_and_the_next_up_waits_again(project):
    project.program(WORKLOAD + THING)
    output = project.folder / "output"
    with output.open("w") as sink:
        running = subprocess.Popen(
            project.command("up"), cwd=project.folder, env=project.variables(), stdin=subprocess.DEVNULL, stdout=sink,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while "waiting: condition Ready is not there yet" not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        assert running.poll() is None, output.read_text()
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) != 0
    assert "cancelled while waiting" in output.read_text()
    assert project.state()["thing"]["initErrors"]

    make_ready(project)
    assert project.succeed("up") == {"updated": 1, "unchanged": 1}
    assert "initErrors" not in project.state()["thing"]


@pytest.mark.usefixtures("thing_definition")
def test_a_delete_that_hangs_names_the_finalizer(project):
    project.program(WORKLOAD + THING)
    project.value = "impatient"
    later = threading.Timer(0, make_ready, [project])
    later.start()
    project.succeed("up")
    later.join()
    patch = '{"metadata":{"finalizers":["example.com/keep"]}}'
    arguments = ("-n", project.namespace, "patch", "thing", "thing", "--type=merge", "-p")
    project.kubectl.run(*arguments, patch)
    try:
        run = project.fail("destroy")
    finally:
        project.kubectl.run(*arguments, '{"metadata":{"finalizers":[]}}')
    held = f"Thing {project.namespace}/thing is not deleted: timed out after 3 s; finalizers: "
    assert len(run.diagnostics) == 1
    assert run.diagnostics[0].startswith(held)
    assert "example.com/keep" in run.diagnostics[0]
    assert "thing" in project.state()
    assert project.succeed("destroy") == {"deleted": 2}
