"""A tenant may leave the list only when nothing of it is open."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Namespace

from infra import preflight, tenant_removal
from infra.preflight import ClusterFacts, judge
from infra.tenant_removal import count_open, removed
from tests.infra.support import settings

LIVE = json.dumps(
    {
        "shared_namespace": "production",
        "namespaces": [{"name": "production"}],
        "tenants": [{"name": "chogar"}, {"name": "amovil"}],
    }
)
"""A live tenants file; the settings of the tests have `chogar` only."""

DRAIN = "exec --namespace=temporal deployment/worker-shared -- python3 -m worker.tenants drain amovil"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a `kubectl` on PATH that runs a line of shell."""

    def place(line: str) -> None:
        (tmp_path / "kubectl").write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/asked\n{line}\n')
        (tmp_path / "kubectl").chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return place


def test_who_is_gone_from_the_settings_is_removed() -> None:
    assert removed(settings(), LIVE) == ["amovil"]
    assert removed(settings(lambda tree: tree["tenants"].append({"name": "amovil"})), LIVE) == []
    assert removed(settings(), "spoilt") == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("""echo '{"open_deployments": 2}'; exit 3""", 2),
        ("""echo '{"open_deployments": 0}'""", 0),
        ("""echo '{"open_deployments": 0}'; exit 1""", None),
        ("echo nonsense", None),
        ("echo '[]'", None),
        ("exec sleep 30", None),
    ],
)
def test_a_worker_is_asked_what_is_open(
    kubectl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, count: int | None
) -> None:
    monkeypatch.setattr(tenant_removal, "_TIMEOUT_SECONDS", 1)
    kubectl(line)

    assert count_open(settings(), "amovil") == count
    assert (tmp_path / "asked").read_text() == f"--context test {DRAIN} --json\n"


def test_without_kubectl_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert count_open(settings(), "amovil") is None


@pytest.mark.parametrize(
    ("count", "why"), [(2, "2 of its deployments"), (None, "it cannot be seen whether its deployments")]
)
def test_a_tenant_with_open_deployments_may_not_go(count: int | None, why: str) -> None:
    facts = ClusterFacts("uid", frozenset("abc"), frozenset(), open_deployments={"amovil": count, "afijo": 0})

    assert judge(settings(), facts) == [
        f"tenants: amovil is gone from the list, but {why} are open: put it back until `kubectl {DRAIN}` says 0"
    ]


class Cluster:
    """Answers like lightkube's client, from objects by name."""

    def __init__(self, *found: str) -> None:
        self.found = found

    def get(self, res: type, name: str, *, namespace: str | None = None) -> Any:
        assert namespace == (None if res is Namespace else "temporal")
        if name not in self.found:
            response = SimpleNamespace(json=lambda: {"code": 404, "message": "not found"})
            raise ApiError(response=response)  # type: ignore[arg-type]  # only its JSON is read
        metadata = SimpleNamespace(name=name, uid="uid", labels=None, annotations=None)
        return SimpleNamespace(metadata=metadata, data={"tenants.json": LIVE})

    def list(self, res: type, *, namespace: str | None = None) -> list[Any]:  # noqa: ARG002  # the client's names
        return []


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        (["tenants", "worker-shared"], {"amovil": 2}),
        (["tenants"], {}),
        (["worker-shared"], {}),
        ([], {}),
    ],
)
def test_a_cluster_is_asked_where_there_is_somebody_to_ask(kubectl: Any, found: list[str], seen: Any) -> None:
    kubectl("""echo '{"open_deployments": 2}'; exit 3""")

    assert preflight._observe(Cluster("kube-system", *found), settings()).open_deployments == seen
