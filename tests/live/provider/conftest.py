"""Real `pulumi` runs through the plugin, each in a project and a namespace of its own.

`ROUTERFLEET_LIVE_ENVIRONMENT` names a JSON file of environment variables to use instead of the lab's, so that these
tests also run against any API server with a scheduler and nodes (or something that plays them).
"""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.provider.install import install_plugin
from tests.live.conftest import Kubectl

OVERRIDE = "ROUTERFLEET_LIVE_ENVIRONMENT"
PRELUDE = """
import os
import pulumi
import pulumi_kubernetes as k8s
NAMESPACE = os.environ["TEST_NAMESPACE"]
VALUE = os.environ.get("TEST_VALUE", "")
"""


@dataclass(frozen=True)
class Run:
    """One `pulumi` command's end."""

    code: int
    output: str

    @property
    def counts(self) -> dict[str, int]:
        """The summary, such as {"created": 3}."""
        _, _, tail = self.output.rpartition("\nResources:\n")
        found = {}
        for line in tail.splitlines():
            match = re.fullmatch(r" +(?:\d+ changes?\. )?(?:[+~-]+ ?)?(\d+) (\D+)", line)
            if not match:
                break
            found[match[2].strip()] = int(match[1])
        return found

    @property
    def diagnostics(self) -> list[str]:
        """The errors a person reads at the end, without the engine's own."""
        _, _, tail = self.output.rpartition("\nDiagnostics:\n")
        lines = [line.strip() for line in tail.splitlines()]
        found = [
            line.removeprefix("error: ").removeprefix("* ")
            for line in lines
            if line.startswith(("error: ", "* "))
        ]
        return [
            line for line in found if not re.fullmatch(r"(update|preview) failed|\d+ errors? occurred:", line)
        ]


@dataclass
class Project:
    """A Pulumi project with one stack."""

    folder: Path
    backend: Path
    namespace: str
    environment: dict[str, str]
    kubectl: Kubectl
    value: str = field(default="")

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(PRELUDE + text)

    def command(self, *arguments: str) -> list[str]:
        changing = arguments[0] in ("up", "refresh", "destroy")
        extra = ["--yes", "--skip-preview", "--non-interactive"] if changing else []
        return ["pulumi", *arguments, *extra, "--color", "never", "-s", "test"]

    def variables(self) -> dict[str, str]:
        return {**self.environment, "TEST_NAMESPACE": self.namespace, "TEST_VALUE": self.value}

    def pulumi(self, *arguments: str, **variables: str) -> Run:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.variables(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
        return Run(done.returncode, done.stdout)

    def succeed(self, *arguments: str, **variables: str) -> dict[str, int]:
        run = self.pulumi(*arguments, **variables)
        assert run.code == 0, run.output
        return run.counts

    def fail(self, *arguments: str, **variables: str) -> Run:
        run = self.pulumi(*arguments, **variables)
        assert run.code != 0, run.output
        assert "lab/provider" not in run.output, run.output  # a stack trace of ours
        return run

    def state_text(self) -> str:
        """The state as the backend keeps it: what could leak, and faster than asking the CLI."""
        return (self.backend / ".pulumi" / "stacks" / "plugin-test" / "test.json").read_text()

    def state(self) -> dict[str, dict]:
        """The resources of the state, by name in the program."""
        resources = json.loads(self.state_text())["checkpoint"]["latest"].get("resources", [])
        return {entry["urn"].rpartition("::")[2]: entry for entry in resources}

    def get(self, *arguments: str) -> dict:
        return self.kubectl.get("-n", self.namespace, *arguments)


@pytest.fixture(scope="session")
def cluster_env(request) -> dict[str, str]:
    if override := os.environ.get(OVERRIDE):
        return {**os.environ, **json.loads(Path(override).read_text())}
    return request.getfixturevalue("lab_env")


@pytest.fixture
def project(cluster_env, tmp_path) -> Iterator[Project]:
    kubectl = Kubectl(cluster_env)
    namespace = f"plugin-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    )
    home, backend, folder = (tmp_path / name for name in ("home", "backend", "project"))
    install_plugin(home)
    backend.mkdir()
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: plugin-test\nruntime: python\n")
    settings = {
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    found = Project(folder, backend, namespace, {**cluster_env, **settings}, kubectl)
    assert found.pulumi("stack", "init").code == 0
    yield found
    kubectl.run("delete", "namespace", namespace, "--wait=false")
