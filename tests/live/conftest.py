"""What every test on the lab uses: the lab's environment, kubectl, the stack's outputs, machines in zones.

These tests change nothing that `make up` made, or put it back; they run with `make e2e`.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import names

ROOT = Path(__file__).resolve().parents[2]
STACK = os.environ.get("STACK", "local")


def pytest_collection_modifyitems(items):
    for item in items:
        if "live" in Path(item.fspath).parts:
            item.add_marker(pytest.mark.live)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))


def lab(*arguments: str) -> dict:
    """Run one lab command and return its JSON answer."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments[:1], "--json", *arguments[1:]],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"lab {' '.join(arguments)}: {done.stderr}"
    return json.loads(done.stdout)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait for a condition that the cluster reaches by itself, and fail with its name if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def lab_env() -> dict[str, str]:
    """The environment of `python -m lab env`, over this process's own."""
    status = subprocess.run(
        [sys.executable, "-m", "lab", "status"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert status.returncode == 0, f"the lab is not up: run `make up` first\n{status.stdout}{status.stderr}"
    return {**os.environ, **lab("env")}


class Kubectl:
    """kubectl against the lab."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.try_run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def try_run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def get(self, *arguments: str) -> dict:
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.run("apply", "--server-side", "-f", "-", stdin=text)


@pytest.fixture(scope="session")
def kubectl(lab_env) -> Kubectl:
    return Kubectl(lab_env)


@pytest.fixture(scope="session")
def outputs(lab_env) -> dict:
    """The outputs of the stack, as `pulumi stack output` gives them."""
    done = subprocess.run(
        ["pulumi", "stack", "output", "--json", "-s", STACK], cwd=ROOT, env=lab_env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def keyring(kubectl, outputs) -> dict:
    """The keyring that the stack's workers have, as they have it."""
    secret = kubectl.get("secret", names.PAYLOAD_KEYS, "-n", outputs["kubernetes_namespace"])
    return json.loads(base64.b64decode(secret["data"][names.PAYLOAD_KEYS_KEY]))


@pytest.fixture(scope="session")
def keyring_file(keyring, tmp_path_factory) -> Path:
    """The keyring for clients on this machine: they encrypt what they send, and read what comes back."""
    path = tmp_path_factory.mktemp("keys") / names.PAYLOAD_KEYS_KEY
    path.touch(mode=0o600)
    path.write_text(json.dumps(keyring))
    return path


@pytest.fixture(scope="session")
def zone_of_node(kubectl) -> dict[str, str]:
    nodes = kubectl.get("nodes")["items"]
    return {n["metadata"]["name"]: n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in nodes}


@pytest.fixture
def scratch(kubectl, request):
    """A namespace of this test's own, gone afterwards."""
    name = "scratch-" + request.node.name.replace("_", "-")[:40].strip("-").split("[")[0]
    kubectl.apply({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    })  # fmt: skip
    yield name
    kubectl.run("delete", "namespace", name, "--wait=true", "--timeout=120s")


def restricted_pod(name: str, command: list[str], **spec) -> dict:
    """A pod that Pod Security `restricted` lets in, on an image with a shell."""
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "main", "image": "lab.local/temporal-admin-tools:1.32.1", "imagePullPolicy": "IfNotPresent",
                "command": command,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                **spec.pop("container", {}),
            }],
            **spec,
        },
    }  # fmt: skip
