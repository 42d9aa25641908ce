"""A tenant may leave a lane only when nothing of it is open there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Namespace

from infra import preflight, tenant_changes
from infra.preflight import ClusterFacts, judge
from infra.settings import Settings
from infra.tenant_changes import count_open, departures
from tests.infra.support import settings
from worker.tenancy import Lane


def live(*tenants: dict[str, Any]) -> str:
    """Return the text of a live tenants file."""
    namespaces = [{"name": "production"}]
    return json.dumps(
        {
            "shared_namespace": "production",
            "namespaces": namespaces,
            "tenants": [{"name": "chogar"}, *tenants],
        }
    )


def wanting(*tenants: dict[str, Any], shared: str = "production") -> Settings:
    """Return settings with these tenants besides `chogar`."""

    def change(tree: dict[str, Any]) -> None:
        tree["tenants"] += tenants
        tree["temporal"].update(
            namespaces=[{"name": "production"}, {"name": "other"}], shared_namespace=shared
        )

    return settings(change)


AMOVIL = {"name": "amovil"}
LIVE = live(AMOVIL)
"""A live tenants file; the settings of the tests have `chogar` only."""
OWN = Lane("production", "tenant-amovil-deployments")
SHARED = Lane("production", "shared-deployments")
NAMESPACE = Lane("tenant-amovil", "tenant-amovil-deployments")

POD = "exec --namespace=temporal deployment/worker-shared -- python3 -m worker.tenants"
DRAIN = f"{POD} drain amovil"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a `kubectl` on PATH that runs a line of shell."""

    def place(line: str) -> None:
        (tmp_path / "kubectl").write_text(
            f'#!/bin/sh\necho "$*" > {tmp_path}/asked\ncat > {tmp_path}/told\n{line}\n'
        )
        (tmp_path / "kubectl").chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return place


def left(wanted: Settings, text: str) -> dict[str, tuple[Lane, ...]]:
    return {found.live.name: found.lanes for found in departures(wanted, text)}


def test_who_is_gone_from_the_settings_leaves_its_lane() -> None:
    assert left(settings(), LIVE) == {"amovil": (OWN,)}
    assert left(wanting(AMOVIL), LIVE) == {}
    assert left(settings(), "spoilt") == {}


@pytest.mark.parametrize(
    ("now", "wanted", "lanes"),
    [
        # Another strategy is another lane, but for the two whose queue is the same.
        ({}, {"strategy": "namespace"}, (OWN,)),
        ({}, {"strategy": "shared-queue"}, (OWN,)),
        ({}, {"strategy": "dedicated-workers"}, ()),
        ({"strategy": "dedicated-workers"}, {"strategy": "task-queue"}, ()),
        ({"strategy": "shared-queue"}, {"strategy": "namespace"}, (SHARED,)),
        ({"strategy": "namespace"}, {}, (NAMESPACE,)),
        # Both lanes are served while it moves, and after it only the new one.
        ({}, {"strategy": "namespace", "moving_from": "task-queue"}, ()),
        ({"strategy": "namespace", "moving_from": "task-queue"}, {"strategy": "namespace"}, (OWN,)),
        ({"strategy": "namespace", "moving_from": "task-queue"}, {}, (NAMESPACE,)),
        ({"strategy": "namespace", "moving_from": "task-queue"}, {"moving_from": "namespace"}, ()),
    ],
)
def test_a_changed_record_leaves_the_lanes_that_nobody_would_serve(
    now: dict[str, Any], wanted: dict[str, Any], lanes: tuple[Lane, ...]
) -> None:
    found = left(wanting(AMOVIL | wanted), live(AMOVIL | now))

    assert found == ({"amovil": lanes} if lanes else {})


def test_another_shared_namespace_leaves_every_lane_in_the_old_one() -> None:
    assert left(wanting(AMOVIL, shared="other"), LIVE).keys() == {"chogar", "amovil"}


def report(**counts: int) -> str:
    """Return what `drain --json` prints, with deployments by lane."""
    lanes = {"own": OWN, "shared": SHARED, "namespace": NAMESPACE}
    states = [
        {
            "namespace": lanes[key].namespace,
            "task_queue": lanes[key].task_queue,
            "open_deployments": count,
            "windows": 1,
        }
        for key, count in counts.items()
    ]
    return json.dumps({"open_deployments": sum(counts.values()), "lanes": states})


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (f"echo '{report(own=2)}'; exit 3", 3),
        (f"echo '{report(namespace=5, own=2)}'; exit 3", 3),
        (f"echo '{report(namespace=5)}'; exit 3", None),
        (f"echo '{report(own=0)}'; exit 1", None),
        # A worker of the release before lanes.
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
    monkeypatch.setattr(tenant_changes, "_TIMEOUT_SECONDS", 1)
    kubectl(line)
    (departure,) = departures(settings(), LIVE)

    assert count_open(settings(), departure, LIVE) == count
    asked = DRAIN.replace("exec", "exec --stdin", 1)
    assert (tmp_path / "asked").read_text() == f"--context test {asked} --json --file -\n"
    # Not the pod's own copy of the file, which may be old.
    assert (tmp_path / "told").read_text() == LIVE


def test_without_kubectl_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (departure,) = departures(settings(), LIVE)

    assert count_open(settings(), departure, LIVE) is None


def judged(wanted: Settings, text: str, count: int | None) -> list[str]:
    """Judge a cluster in which whoever leaves a lane has that much open there."""
    facts = ClusterFacts("uid", frozenset("abc"), frozenset())
    found = tuple((departure, count) for departure in departures(wanted, text))
    return judge(wanted, dataclasses.replace(facts, departures=found))


@pytest.mark.parametrize(("count", "why"), [(2, "2"), (None, "it cannot be seen whether any")])
def test_a_tenant_with_open_deployments_may_not_go(count: int | None, why: str) -> None:
    assert judged(settings(), LIVE, count) == [
        (
            f"tenants: amovil is gone from the list, but {why} of its deployments and windows are open: "
            f"put it back until `kubectl {DRAIN}` says 0"
        )
    ]
    assert judged(settings(), LIVE, 0) == []


def test_a_tenant_with_open_deployments_may_not_change_its_lane_at_once() -> None:
    assert judged(wanting(AMOVIL | {"strategy": "namespace"}), LIVE, 2) == [
        (
            "tenants.amovil.strategy: namespace leaves tenant-amovil-deployments in production, but 2 of its "
            "deployments and windows are open there: add `moving_from: task-queue`; "
            f"`kubectl {POD} move amovil --to namespace` says the steps"
        )
    ]


def test_a_move_may_not_end_before_the_old_lane_is_drained() -> None:
    moving = AMOVIL | {"strategy": "namespace", "moving_from": "task-queue"}

    assert judged(wanting(AMOVIL | {"strategy": "namespace"}), live(moving), 1) == [
        (
            "tenants.amovil.moving_from: without it nobody serves tenant-amovil-deployments in production, but 1 of its "
            f"deployments and windows are open there: put `task-queue` back until `kubectl {DRAIN}` says 0"
        )
    ]


def test_the_shared_namespace_may_not_change_under_open_deployments() -> None:
    assert judged(wanting(AMOVIL, shared="other"), LIVE, 1)[1] == (
        "tenants.amovil: the settings leave tenant-amovil-deployments in production, but 1 of its deployments and "
        f"windows are open there: put them back until `kubectl {DRAIN}` says 0"
    )


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
        (["tenants", "worker-shared"], [("amovil", 2)]),
        (["tenants"], []),
        (["worker-shared"], []),
        ([], []),
    ],
)
def test_a_cluster_is_asked_where_there_is_somebody_to_ask(kubectl: Any, found: list[str], seen: Any) -> None:
    kubectl("""echo '{"open_deployments": 2}'; exit 3""")

    facts = preflight._observe(Cluster("kube-system", *found), settings())

    assert [(departure.live.name, count) for departure, count in facts.departures] == seen
