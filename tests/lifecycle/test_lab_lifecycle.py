"""The lab comes, is repaired and goes without a trace. Needs root and a machine whose lab is down.

Not among the `live` tests, because it takes the lab down: `make lifecycle`, and the last step of CI.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import paths
from tests.lifecycle.traces import traces

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.lifecycle, pytest.mark.timeout(600), pytest.mark.usefixtures("before")]


def lab(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"lab {' '.join(arguments)}: {done.stderr}"
    return done


@pytest.fixture(scope="module")
def before():
    status = json.loads(lab("status", "--json", check=False).stdout)
    if status["api"] != "down":
        pytest.fail("the lab is up: these tests would take it down; run `make down` first")
    lab("down")
    yield traces()
    lab("down")


def is_up() -> bool:
    return json.loads(lab("status", "--json", check=False).stdout)["is_up"]


def machine_pid(name: str) -> int:
    return json.loads((paths.state_dir() / "lab" / "machines" / name / "pid.json").read_text())["pid"]


def test_up_is_interrupted_and_the_next_one_repairs_it():
    first = subprocess.Popen([sys.executable, "-m", "lab", "up"], cwd=ROOT, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("nodes"):
            break
    os.killpg(first.pid, signal.SIGKILL)
    first.stderr.close()
    first.wait()

    lab("up")
    assert is_up()


def test_a_half_dead_lab_is_repaired():
    lab("up")
    for name in ("node-b", "control"):
        os.kill(machine_pid(name), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_up():
        assert time.monotonic() < deadline, "the killed machines still count as up"
    assert not is_up()

    lab("up")
    assert is_up()


def test_a_second_up_changes_nothing():
    lab("up")
    pids = [machine_pid(name) for name in ("control", "node-a", "node-b", "node-c")]

    lab("up")

    assert [machine_pid(name) for name in ("control", "node-a", "node-b", "node-c")] == pids


CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "lab", "resources": {"requests": {"storage": "64Mi"}}},
}  # fmt: skip
POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holder", "namespace": "default"},
    "spec": {
        "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
        # Not by nodeName: a volume is made where the scheduler puts its pod.
        "nodeSelector": {"kubernetes.io/hostname": "node-a"},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
        "containers": [{
            "name": "main", "image": "lab.local/temporal-admin-tools:1.32.1", "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", "while :; do sleep 1; done"], "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}  # fmt: skip


def fill() -> None:
    """Have the lab hold all it can: a guest, a pod with a mounted volume, a zone that is off and heals later."""
    lab("outside", "start", "held", "--", "sleep", "600")
    environment = {**os.environ, **json.loads(lab("env", "--json").stdout)}

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["kubectl", *arguments], env=environment, input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    objects = {"apiVersion": "v1", "kind": "List", "items": [CLAIM, POD]}
    deadline = time.monotonic() + 60
    # The API server lets no pod in before the namespace has its service account.
    while "default" not in kubectl("get", "serviceaccounts", "-n", "default", "-o", "name"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(objects))
    kubectl("wait", "--for=condition=Ready", "pod/holder", "-n", "default", "--timeout=120s")
    lab("power-off", "zone-c", "--for", "600")


def test_down_leaves_nothing(before):
    lab("up")
    fill()
    held = traces()
    assert any("lab.cluster.healer" in line for line in held["processes of a lab"])
    assert any("/machines/node-a/volumes/" in line for line in held["loop devices"])
    assert any("/guests/held/" in line for line in held["processes of a lab"])

    lab("down")

    assert traces() == before
