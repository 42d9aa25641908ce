"""What `pulumi preview` refuses, on the real cluster and with the real command line, and in which words.

Every test has a project folder and a Pulumi backend of its own: the stack that is up is looked at, never touched.
"""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from tests.live.conftest import STACK, wait_until
from tests.live.project import Project, Tree
from worker.tenancy import deployment_workflow_id

pytestmark = pytest.mark.skipif(STACK != "local", reason="compares with what the local stack has on the lab")

OTHER_UID = "0b6a9c1e-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def backend(lab_env, tmp_path_factory) -> dict[str, str]:
    """The lab's environment with a backend of this module's own."""
    folder = tmp_path_factory.mktemp("backend")
    return {**lab_env, "PULUMI_BACKEND_URL": f"file://{folder}"}


@pytest.fixture
def project(backend, tmp_path) -> Project:
    return Project(tmp_path / "project", dict(backend))


@pytest.fixture(scope="module", autouse=True)
def stacks(backend, tmp_path_factory) -> None:
    project = Project(tmp_path_factory.mktemp("init") / "project", backend)
    for stack in ("local", "staging", "guarded"):
        project.write(stack)
        done = project.pulumi(stack, "stack", "init", "--no-select")
        assert done.returncode == 0, done.stderr


def refused(project: Project, stack: str = "local") -> list[str]:
    """Preview, and return the problems as they were said."""
    done = project.pulumi(stack, "preview")
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert 'File "' not in said
    # Below "Diagnostics:" each error is said whole; above it, once more and shortened.
    details = done.stdout.partition("Diagnostics:")[2].partition("Resources:")[0]
    lines = [line.strip() for line in details.splitlines()]
    unhandled = "error: an unhandled error occurred: program exited with non-zero exit code: 1"
    return [
        line for line in lines if line and not line.startswith("pulumi:pulumi:Stack") and line != unhandled
    ]


def changed(concern: str, **values: Any) -> Callable[[Tree], object]:
    return lambda tree: tree.setdefault(concern, {}).update(values)


def instances(number: int) -> Callable[[Tree], object]:
    return lambda tree: tree["persistence"]["postgres"].update(instances=number)


def frontends(number: int) -> Callable[[Tree], object]:
    return lambda tree: tree["temporal"]["frontend"].update(replicas=number)


ZONES = changed("cluster", zones=["zone-a", "zone-b", "zone-x"])
ZONES_LINE = (
    "cluster.zones: zone-x has no node in cluster routerfleet-lab; its zones are zone-a, zone-b, zone-c "
    "(node label topology.kubernetes.io/zone)"
)
SHARDS = changed("temporal", history_shards=64)
SHARDS_LINE = (
    "temporal.history_shards: 64 cannot replace 32: the number is fixed for the life of a cluster; to change it, "
    "replicate to a new cluster"
)
KEY = changed("temporal", dynamic_config={"frontend.rpsx": 3})
KEY_LINE = 'temporal.dynamic_config: unregistered key "frontend.rpsx"'


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param(
            changed("temporal", shards=32), "temporal.shards: unknown key; did you mean history_shards?", id="unknown-key"
        ),
        pytest.param(frontends(2), "temporal.frontend.replicas: 2 is too few: at least 3 (one per zone)", id="two-frontends"),
        pytest.param(instances(2), "persistence.postgres.instances: 2 is too few: at least 3 (one per zone)", id="two-databases"),
        pytest.param(ZONES, ZONES_LINE, id="missing-zone"),
        pytest.param(SHARDS, SHARDS_LINE, id="changed-shards"),
        pytest.param(KEY, KEY_LINE, id="unknown-dynamic-configuration"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_refused_in_one_line(project, change, line):
    project.write("local", change)

    assert refused(project) == [f"error: {line}"]


def test_a_context_that_kubeconfig_lacks_is_refused(project):
    project.write("local", changed("cluster", context="nowhere"))

    assert refused(project) == [
        (
            f"error: cluster.context: kubeconfig {project.environment['KUBECONFIG']} has no usable context nowhere: "
            "Context 'nowhere' not found"
        )
    ]


def test_a_context_that_leads_to_another_cluster_is_refused(project, kubectl):
    uid = kubectl.get("namespace", "kube-system")["metadata"]["uid"]
    project.write("local", changed("cluster", uid=OTHER_UID))

    assert refused(project) == [
        (
            f"error: cluster.uid: context routerfleet-lab leads to cluster {uid}, but this stack belongs to {OTHER_UID}: "
            "point the context at the right cluster"
        )
    ]


def test_several_problems_are_said_at_once(project):
    project.write("local", ZONES, SHARDS, KEY)

    assert refused(project) == [
        "error: 3 problems:", f"- {KEY_LINE}", f"- {ZONES_LINE}", f"- {SHARDS_LINE}",
    ]  # fmt: skip


def renamed(project: Project, context: str, **cluster: str) -> None:
    """Give the project a kubeconfig whose one context has another name, and perhaps another server."""
    config = yaml.safe_load(Path(project.environment["KUBECONFIG"]).read_text())
    (entry,) = [found for found in config["contexts"] if found["name"] == "routerfleet-lab"]
    entry["name"] = context
    for found in config["clusters"]:
        found["cluster"].update(cluster)
    path = project.folder / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    project.environment["KUBECONFIG"] = str(path)


def test_an_api_server_that_does_not_answer_is_refused(project):
    renamed(project, "routerfleet-lab", server="https://127.0.0.1:1")
    project.write("local")

    assert refused(project) == [
        (
            "error: cluster.context: the API server of routerfleet-lab does not answer within 10 s: "
            "[Errno 111] Connection refused"
        )
    ]


def test_a_kubeconfig_that_is_not_yaml_is_refused(project):
    path = project.folder / "kubeconfig"
    path.write_text("contexts: [\n")
    project.environment["KUBECONFIG"] = str(path)
    project.write("local")

    (line,) = refused(project)
    assert line.startswith(f"error: cluster.context: kubeconfig {path} is not YAML: ")


def test_a_stack_file_that_is_not_yaml_is_refused(project):
    project.file("local").write_text("config: [\n")

    done = project.pulumi("local", "preview")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: getting stack configuration: invalid YAML file: yaml: line 1: did not find expected node content\n"
    )


def test_a_stack_that_does_not_exist_is_refused(project):
    done = project.pulumi("nope", "preview")

    assert done.returncode != 0
    assert (done.stdout, done.stderr) == ("", "error: no stack named 'nope' found\n")


@asynccontextmanager
async def open_deployment(kubectl, outputs, name: str) -> AsyncIterator[str]:
    """Keep a workflow of a tenant open that gives workers nothing to do; gives the command that counts it."""
    tenant = outputs["tenants"][name]
    client = await Client.connect(outputs["frontend_address"], namespace=tenant["namespace"])
    handle = await client.start_workflow(
        "Nothing",
        id=deployment_workflow_id(name, f"refusal-{uuid.uuid4().hex[:8]}"),
        task_queue=tenant["task_queue"],
        start_delay=timedelta(hours=1),
    )
    pod = f"exec --namespace={outputs['kubernetes_namespace']} deployment/worker-shared --"
    drain = f"{pod} python3 -m worker.tenants drain {name}"
    try:
        # Visibility follows a moment later.
        wait_until(
            lambda: kubectl.try_run(*drain.split()).returncode == 3, "the deployment is seen as open", 60
        )
        yield drain
    finally:
        await handle.terminate()


def of_tenant(tree: Tree, name: str) -> Tree:
    (record,) = [found for found in tree["tenants"] if found["name"] == name]
    return record


async def test_a_tenant_with_an_open_deployment_may_not_go(project, kubectl, outputs):
    async with open_deployment(kubectl, outputs, "amovil") as drain:
        project.write("local", lambda tree: tree["tenants"].remove(of_tenant(tree, "amovil")))

        assert refused(project) == [
            (
                "error: tenants: amovil is gone from the list, but 1 of its deployments and windows are open: put it "
                f"back until `kubectl {drain}` says 0"
            )
        ]


async def test_a_tenant_with_an_open_deployment_may_not_change_its_lane_at_once(project, kubectl, outputs):
    async with open_deployment(kubectl, outputs, "chogar") as drain:
        project.write("local", lambda tree: of_tenant(tree, "chogar").update(strategy="shared-queue"))

        move = drain.replace("drain chogar", "move chogar --to shared-queue")
        assert refused(project) == [
            (
                "error: tenants.chogar.strategy: shared-queue leaves tenant-chogar-deployments in production, but 1 of "
                "its deployments and windows are open there: add `moving_from: task-queue`; "
                f"`kubectl {move}` says the steps"
            )
        ]


def test_staging_can_be_previewed_on_the_lab(project):
    """Staging's file as it is, against the lab's API server through a context named `staging`.

    But in a Kubernetes namespace of its own and without the operator: the lab already holds those of `local`.
    """
    renamed(project, "staging")
    project.write(
        "staging", changed("cluster", namespace="temporal-staging"), changed("operators", install=False),
        like="staging",
    )  # fmt: skip

    done = project.pulumi("staging", "preview", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert set(report["changeSummary"]) == {"create"}
    assert report["changeSummary"]["create"] > 30


def test_destroying_what_is_protected_is_refused(project):
    """The command line on a state with one protected resource; which resources a stack protects is a unit test."""
    project.write("guarded")
    root = "urn:pulumi:guarded::routerfleet::pulumi:pulumi:Stack::routerfleet-guarded"
    kind = "routerfleet:components:RestrictedNamespace"
    urn = f"urn:pulumi:guarded::routerfleet::{kind}::temporal"
    state = {
        "version": 3,
        "deployment": {
            "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""},
            "resources": [
                {"urn": root, "custom": False, "type": "pulumi:pulumi:Stack"},
                {"urn": urn, "custom": False, "type": kind, "parent": root, "protect": True},
            ],
        },
    }
    imported = project.pulumi("guarded", "stack", "import", stdin=json.dumps(state))
    assert imported.returncode == 0, imported.stderr

    done = project.pulumi("guarded", "destroy", "--yes", "--skip-preview")

    assert done.returncode != 0
    assert f'error: resource "{urn}" cannot be deleted\n    because it is protected.' in done.stdout
