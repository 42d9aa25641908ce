"""The running stack is what the program says it is: placement, versions, users, ports, configuration, no drift."""

import base64
import json
import re
import subprocess

import pytest
import testinfra

from infra import names
from infra.rendering.dynamic_config import render_dynamic_config
from infra.rendering.haproxy import render_haproxy
from infra.rendering.temporal_config import render_temporal_config
from infra.services import SERVICES
from infra.settings import load_stack
from infra.sizing import worker_load
from infra.stores import stores_of
from tests.live.conftest import ROOT, STACK
from tests.live.support import pods

SETTINGS = load_stack(STACK)
SERVERS = [names.server(spec.name) for spec in SERVICES]


@pytest.fixture(scope="module")
def inside(kubectl, outputs):
    """A testinfra host inside the first pod of a component."""

    def host(component: str):
        namespace = outputs["kubernetes_namespace"]
        pod = pods(kubectl, namespace, outputs["components"][component]["selector"])[0]
        container = pod["spec"]["containers"][0]["name"]
        return testinfra.get_host(
            f"kubectl://{pod['metadata']['name']}?namespace={namespace}&container={container}"
        )

    return host


def listening(host) -> set[int]:
    """TCP ports somebody listens on, from proc(5): the images carry neither ss nor netstat."""
    ports: set[int] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = [line.split() for line in host.check_output(f"cat {table}").splitlines()[1:]]
        ports |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
    return ports


def test_every_component_has_its_replicas_ready_and_spread_over_zones(kubectl, outputs, zone_of_node):
    found = {}
    for name, component in outputs["components"].items():
        running = [
            pod for pod in pods(kubectl, outputs["kubernetes_namespace"], component["selector"])
            if {"type": "Ready", "status": "True"}.items()
            <= next(c for c in pod["status"]["conditions"] if c["type"] == "Ready").items()
        ]  # fmt: skip
        zones = {zone_of_node[pod["spec"]["nodeName"]] for pod in running}
        found[name] = {"replicas": len(running), "zones": len(zones)}

    assert found == {
        n: {"replicas": c["replicas"], "zones": c["zones"]} for n, c in outputs["components"].items()
    }


def test_the_local_stack_has_the_replicas_that_survive_a_zone(outputs):
    if STACK != "local":
        pytest.skip("figures of the local stack")
    replicas = {name: component["replicas"] for name, component in outputs["components"].items()}

    assert replicas == {
        "temporal-frontend": 3, "temporal-history": 3, "temporal-matching": 3, "temporal-worker": 2,
        "temporal-balancer": 3, "temporal-ui": 2, "worker-shared": 3, "worker-afijo": 3, "codec-server": 2,
        "postgres": 3, "postgres-pooler": 3, "zone-watcher": 3,
    }  # fmt: skip


@pytest.mark.parametrize("component", SERVERS)
def test_servers_run_the_pinned_version_as_a_plain_user_on_their_ports(inside, component):
    host = inside(component)
    spec = next(s for s in SERVICES if names.server(s.name) == component)

    assert SETTINGS.images.temporal_server.tag in host.check_output("temporal-server --version")
    assert host.check_output("id -u") == "1000"
    assert {spec.grpc_port, spec.membership_port} <= listening(host)


@pytest.mark.parametrize("component", SERVERS)
def test_servers_have_mounted_what_was_rendered(inside, component):
    host = inside(component)
    temporal = SETTINGS.temporal

    assert host.file("/etc/temporal/config/server.yaml").content_string == render_temporal_config(
        stores_of(SETTINGS), temporal.history_shards
    )
    assert host.file("/etc/temporal/dynamic/dynamic.yaml").content_string == render_dynamic_config(
        worker_load(SETTINGS), temporal.dynamic_config
    )


def test_the_load_balancer_runs_the_rendered_configuration(inside):
    host = inside(names.BALANCER)
    cluster = SETTINGS.cluster
    frontends = names.host(names.server("frontend"), cluster.namespace, cluster.dns_domain)

    assert host.check_output("haproxy -v").startswith(f"HAProxy version {SETTINGS.images.haproxy.tag}")
    assert host.check_output("id -u") == "99"
    assert host.file("/etc/routerfleet/haproxy.cfg").content_string == render_haproxy(
        frontends, SETTINGS.temporal.frontend.replicas
    )
    assert 7233 in listening(host)


def test_postgres_commits_to_another_zone_before_it_answers(kubectl, outputs):
    (primary,) = pods(kubectl, outputs["kubernetes_namespace"], "cnpg.io/instanceRole=primary")
    host = testinfra.get_host(
        f"kubectl://{primary['metadata']['name']}?namespace={outputs['kubernetes_namespace']}&container=postgres"
    )
    query = "SELECT current_setting('server_version'), current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
    version, standbys, quorum = host.check_output(f'psql -XAtF "|" -c "{query}"').split("|")

    assert version.startswith(f"{SETTINGS.images.postgresql.tag} ")
    assert re.fullmatch(r'ANY 1 \("postgres-\d"(,"postgres-\d")+\)', standbys)
    assert quorum == "2"
    assert host.check_output("id -u") == "26"


def test_workers_carry_their_own_dependencies_and_nothing_else(inside):
    host = inside(names.pool("shared"))

    assert host.check_output("id -u") == "10001"
    assert host.run("python3 -c 'import temporalio, aiohttp, rich, worker'").rc == 0
    for foreign in ("pulumi", "pytest", "lightkube", "infra", "lab"):
        assert host.run(f"python3 -c 'import {foreign}'").rc == 1
    assert 8080 in listening(host)


@pytest.mark.parametrize("component", [*SERVERS, names.BALANCER, names.pool("shared"), names.CODEC_SERVER])
def test_root_file_systems_are_read_only_and_no_token_is_mounted(inside, component):
    host = inside(component)

    assert "Read-only file system" in host.run("touch /probe").stderr
    assert not host.file("/var/run/secrets/kubernetes.io/serviceaccount/token").exists


def test_namespaces_enforce_pod_security_restricted(kubectl, outputs):
    enforced = {
        n["metadata"]["name"]: n["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for n in kubectl.get("namespaces")["items"]
    }

    assert (enforced[outputs["kubernetes_namespace"]], enforced["cnpg-system"]) == (
        "restricted",
        "restricted",
    )


@pytest.mark.timeout(600)
def test_a_second_up_changes_nothing(lab_env):
    command = ["pulumi", "up", "-s", STACK, "--yes", "--skip-preview", "--non-interactive", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=lab_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    changes: dict[str, int] = {}
    for line in done.stdout.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        changes |= event.get("summaryEvent", {}).get("resourceChanges", {})
    assert set(changes) == {"same"}
    assert changes["same"] > 30


@pytest.mark.timeout(600)
def test_refresh_finds_no_drift(lab_env):
    command = ["pulumi", "refresh", "-s", STACK, "--preview-only", "--expect-no-changes", "--non-interactive"]
    done = subprocess.run(command, cwd=ROOT, env=lab_env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def spellings(encoded: str) -> set[str]:
    """How a secret's value may stand in a JSON text: as Kubernetes encodes it, plain, and plain within a string."""
    plain = base64.b64decode(encoded).decode(errors="replace")
    escaped = json.dumps(plain)[1:-1]
    # A ConfigMap's JSON file is a string in the state: escaped once more.
    return {encoded, plain, escaped, json.dumps(escaped)[1:-1]}


def test_no_secret_of_the_cluster_is_in_the_stacks_state(kubectl, lab_env, outputs):
    export = subprocess.run(
        ["pulumi", "stack", "export", "-s", STACK, "--show-secrets"], cwd=ROOT, env=lab_env, capture_output=True,
        text=True, check=True,
    ).stdout  # fmt: skip
    secrets = kubectl.get("secrets", "-n", outputs["kubernetes_namespace"])["items"]
    values = {
        f"{s['metadata']['name']}/{k}": v
        for s in secrets
        for k, v in s.get("data", {}).items()
        if k in ("password", "tls.key", "ca.key")
    }

    assert len(set(values.values())) >= 2
    # Names only: a failure must not print what it found.
    assert [
        name for name, value in values.items() if any(found in export for found in spellings(value))
    ] == []
