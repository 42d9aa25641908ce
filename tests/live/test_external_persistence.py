"""`persistence.kind: external`: the same program on a PostgreSQL server that runs outside the cluster."""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.conftest import ROOT, lab, wait_until
from tests.live.project import Project, Tree

ADDRESS, PORT = "172.30.0.20", 5499
NAMESPACE = "temporal-external"
pytestmark = pytest.mark.timeout(1200)


def _server_script(binaries: Path, folder: Path) -> str:
    as_user = "setpriv --reuid=postgres --regid=postgres --init-groups"
    return f"""
[ -s {folder}/data/PG_VERSION ] || {as_user} {binaries}/initdb -D {folder}/data -A scram-sha-256 --pwfile={folder}/password
echo "host all all 172.16.0.0/12 scram-sha-256" >> {folder}/data/pg_hba.conf
echo "host all all 10.244.0.0/16 scram-sha-256" >> {folder}/data/pg_hba.conf
exec {as_user} {binaries}/postgres -D {folder}/data -c listen_addresses={ADDRESS} -c port={PORT} \\
  -c unix_socket_directories={folder} -c max_connections=300
"""


def _psql(binaries: Path, password: str, *statements: str) -> "subprocess.CompletedProcess[str]":
    command = [
        str(binaries / "psql"),
        "-h",
        ADDRESS,
        "-p",
        str(PORT),
        "-U",
        "postgres",
        "-v",
        "ON_ERROR_STOP=1",
    ]
    command += [word for statement in statements for word in ("-c", statement)]
    return subprocess.run(command, env={"PGPASSWORD": password}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def database(lab_env):  # noqa: ARG001  the lab must be up
    """A PostgreSQL server on the host outside the zones, with two empty databases; gives the owner's password."""
    tools = json.loads(
        subprocess.run(
            [sys.executable, "-m", "lab", "toolchain", "--json", "postgresql-server"], cwd=ROOT, check=True,
            capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    binaries = Path(tools["postgresql-server"]["path"])
    password = secrets.token_urlsafe(24)
    # Not below the lab's state, which is root's alone: the server runs as postgres.
    folder = Path(tempfile.mkdtemp(prefix="routerfleet-external-", dir="/var/tmp"))
    with ExitStack() as cleanup:
        # The last first: the server stops before its folder goes, however far this came.
        cleanup.callback(shutil.rmtree, folder)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
        cleanup.callback(lab, "outside", "stop", "postgres-external")
        lab("outside", "start", "postgres-external", "--", "bash", "-ec", _server_script(binaries, folder))
        wait_until(
            lambda: _psql(binaries, password, "SELECT 1").returncode == 0,
            "the external PostgreSQL answers",
            60,
        )
        made = _psql(
            binaries, password,
            f"CREATE ROLE temporal LOGIN PASSWORD '{password}'",
            "CREATE DATABASE temporal OWNER temporal",
            "CREATE DATABASE temporal_visibility OWNER temporal",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        yield password


def _external(tree: Tree) -> None:
    store = {
        "address": f"{ADDRESS}:{PORT}",
        "user": "temporal",
        "password_secret": {"name": "external-database"},
    }
    # The namespace is there before the stack: it holds the Secret that the stack refers to.
    tree["cluster"] |= {"namespace": NAMESPACE, "creates_namespace": False}
    tree["operators"] = {"install": False}
    tree["persistence"] = {
        "kind": "external",
        "external": {
            "default": {**store, "database": "temporal"},
            "visibility": {**store, "database": "temporal_visibility"},
        },
        "connections": {"default": 8, "visibility": 4},
    }
    # A second stack beside the first has no room for guaranteed resources, and no need of them.
    tree["tenants"] = [{"name": name} for name in ("chogar", "amovil", "afijo")]


@pytest.fixture
def pulumi(lab_env, tmp_path):
    project = Project(tmp_path / "project", lab_env)
    project.write("external", _external)

    def run(*arguments: str) -> str:
        done = project.pulumi("external", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_stack_runs_deployments_on_a_database_outside_and_goes_without_a_trace(pulumi, kubectl, database):
    kubectl.apply(
        {
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "external-database", "namespace": NAMESPACE},
            "stringData": {"password": database},
        },
    )  # fmt: skip
    pulumi("stack", "select", "--create")
    try:
        pulumi("up", "--yes", "--skip-preview")
        said = kubectl.run(
            "exec", "-n", NAMESPACE, "deployment/worker-shared", "--", "python3", "-m", "worker.demo"
        )
        assert "PASS: 6 of 6 deployments completed" in said
        assert kubectl.get("clusters.postgresql.cnpg.io", "-n", NAMESPACE)["items"] == []
        assert database not in pulumi("stack", "export", "--show-secrets").replace("\n", "")
    finally:
        pulumi("destroy", "--yes", "--skip-preview")
        pulumi("stack", "rm", "--yes")

    left = kubectl.get("all,configmaps,poddisruptionbudgets", "-n", NAMESPACE)["items"]
    assert [item["metadata"]["name"] for item in left] == ["kube-root-ca.crt"]
    kubectl.run("delete", "namespace", NAMESPACE, "--timeout=60s")
