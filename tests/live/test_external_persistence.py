"""`persistence.kind: external`: the same program on a PostgreSQL server that runs outside the cluster."""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from tests.live.conftest import ROOT, lab, wait_until

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
    # Not below the lab's state, which is root's alone: the server runs as postgres.
    folder = Path(tempfile.mkdtemp(prefix="routerfleet-external-", dir="/var/tmp"))
    password = secrets.token_urlsafe(24)
    (folder / "password").write_text(password)
    for path in (folder, folder / "password"):
        shutil.chown(path, "postgres", "postgres")
    lab("outside", "start", "postgres-external", "--", "bash", "-ec", _server_script(binaries, folder))

    def psql(*statements: str) -> subprocess.CompletedProcess[str]:
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
        return subprocess.run(
            command, env={"PGPASSWORD": password}, capture_output=True, text=True, check=False
        )

    wait_until(lambda: psql("SELECT 1").returncode == 0, "the external PostgreSQL answers", 60)
    made = psql(
        f"CREATE ROLE temporal LOGIN PASSWORD '{password}'",
        "CREATE DATABASE temporal OWNER temporal",
        "CREATE DATABASE temporal_visibility OWNER temporal",
    )
    assert made.returncode == 0, made.stderr
    yield password
    lab("outside", "stop", "postgres-external")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A Pulumi project with the same program and a stack of its own; the checkout's files stay as they are."""
    folder = tmp_path_factory.mktemp("external")
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    for name in ("infra", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    stack = yaml.safe_load((ROOT / "stacks" / "Pulumi.local.yaml").read_text())
    config = stack["config"]
    store = {
        "address": f"{ADDRESS}:{PORT}",
        "user": "temporal",
        "password_secret": {"name": "external-database"},
    }
    config["routerfleet:cluster"]["namespace"] = NAMESPACE
    config["routerfleet:operators"] = {"install": False}
    config["routerfleet:persistence"] = {
        "kind": "external",
        "external": {
            "default": {**store, "database": "temporal"},
            "visibility": {**store, "database": "temporal_visibility"},
        },
        "connections": {"default": 8, "visibility": 4},
    }
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.external.yaml").write_text(yaml.safe_dump(stack))
    return folder


@pytest.fixture
def pulumi(project, lab_env):
    def run(*arguments: str) -> str:
        command = ["pulumi", *arguments, "-s", "external", "--non-interactive"]
        done = subprocess.run(command, cwd=project, env=lab_env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_stack_runs_deployments_on_a_database_outside_and_goes_without_a_trace(pulumi, kubectl, database):
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "external-database", "namespace": NAMESPACE},
            "stringData": {"password": database},
        },
    )  # fmt: skip
    pulumi("stack", "select", "--create")
    pulumi("up", "--yes", "--skip-preview")
    try:
        said = kubectl.run(
            "exec", "-n", NAMESPACE, "deployment/worker-shared", "--", "python3", "-m", "worker.demo"
        )
        assert "PASS: 6 of 6 deployments completed" in said
        assert kubectl.get("clusters.postgresql.cnpg.io", "-n", NAMESPACE)["items"] == []
        assert database not in pulumi("stack", "export", "--show-secrets").replace("\n", "")
    finally:
        pulumi("destroy", "--yes", "--skip-preview")
        pulumi("stack", "rm", "--yes")

    assert kubectl.try_run("get", "namespace", NAMESPACE).returncode != 0
