import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from load_tests.errors import LoadTestError
from load_tests.faults import catalogue, database_switchover
from load_tests.faults.database_lies import lies, with_faults
from load_tests.faults.journal import Journal
from load_tests.faults.pod_killed import main_processes
from load_tests.faults.target import Target

PROGRAM = (sys.executable, "-IS", str(Path(__file__).with_name("cluster.py")))
POSTGRES = "cnpg.io/cluster=postgres"


def pod(name: str, node: str, labels: dict, *, ready: str = "True") -> dict:
    return {
        "metadata": {"name": name, "namespace": "temporal", "uid": f"uid-{name}", "labels": labels},
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "podIP": f"10.244.0.{name[-1]}"},
    }


def node(letter: str, *, is_cordoned: bool = False) -> dict:
    spec = {"unschedulable": True} if is_cordoned else {}
    labels = {"topology.kubernetes.io/zone": f"zone-{letter}"}
    return {"metadata": {"name": f"node-{letter}", "labels": labels}, "spec": spec}


@pytest.fixture
def state(tmp_path):
    file = tmp_path / "cluster.json"
    frontend, postgres = {"app": "frontend"}, {"cnpg.io/cluster": "postgres"}
    file.write_text(json.dumps({
        "calls": [], "operator_acts": True, "namespace_labels": {"drill": "allowed"},
        "nodes": [node("a"), node("b"), node("c")],
        "pods": [
            pod("frontend-1", "node-a", frontend, ready="False"),
            pod("frontend-2", "node-b", frontend),
            pod("frontend-3", "node-c", frontend),
            pod("postgres-1", "node-c", postgres | {"cnpg.io/instanceRole": "primary"}),
        ],
        "cluster": {"status": {
            "currentPrimary": "postgres-1", "instancesStatus": {"healthy": ["postgres-3", "postgres-1", "postgres-2"]},
        }},
    }))  # fmt: skip
    return file


@pytest.fixture
def elsewhere(state):
    """A cluster that is not the lab."""
    return Target(
        "temporal", {"temporal-frontend": "app=frontend", "postgres": POSTGRES}, ["zone-a", "zone-b", "zone-c"],
        kubectl=(*PROGRAM, str(state), "kubectl"),
    )  # fmt: skip


@pytest.fixture
def on_lab(elsewhere, state):
    return replace(elsewhere, lab=(*PROGRAM, str(state), "lab"))


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


def change(state, key, value):
    whole = json.loads(state.read_text())
    whole[key] = value
    state.write_text(json.dumps(whole))


def calls(state) -> list[str]:
    return [" ".join(words) for words in json.loads(state.read_text())["calls"]]


ON_LAB = [
    ("zone-powered-off", {"zone": "zone-c"}, "power-off zone-c", "zone-c"),
    ("zone-silent", {"zone": "zone-c"}, "silence zone-c", "zone-c"),
    ("one-way-partition", {"zone": "zone-c", "toward": "zone-a"}, "silence zone-c --toward zone-a", "zone-c"),
    ("node-frozen", {"zone": "zone-c"}, "freeze zone-c", "zone-c"),
    ("pod-silent", {"component": "temporal-frontend"}, "silence zone-b --pod 10.244.0.2", "zone-b"),
    (
        "pod-silent",
        {"component": "temporal-frontend", "zone": "zone-c"},
        "silence zone-c --pod 10.244.0.3",
        "zone-c",
    ),
    ("api-stopped", {}, "stop api", "api"),
]


@pytest.mark.parametrize(("name", "given", "command", "place"), ON_LAB)
async def test_the_lab_brings_it_about_with_a_dead_man_and_heals_it(
    on_lab, state, journal, name, given, command, place
):
    fault = catalogue.make(name, on_lab, journal, given)

    async with fault as effect:
        (entry,) = journal.pending()
        assert (entry.fault, entry.effect_at, entry.proof) == (fault.describe(), 12.5, "silence for node-a")
    await fault.heal()

    assert (effect.at, effect.proof, effect.could_not) == (12.5, "silence for node-a", ())
    assert calls(state) == [f"lab {command} --json --for 900.0", f"lab heal --json {place}"]
    assert journal.pending() == []


async def test_what_the_lab_refuses_raises_and_leaves_nothing(on_lab, state, journal):
    change(state, "lab_refuses", "zone-c is off: power it on first")

    with pytest.raises(LoadTestError, match="zone-c is off: power it on first"):
        async with catalogue.make("zone-silent", on_lab, journal, {"zone": "zone-c"}):
            raise AssertionError("a fault that was not proven counts as in effect")

    assert calls(state)[-1] == "lab heal --json zone-c"
    assert [(entry.effect_at, entry.healed_at is not None) for entry in journal.entries()] == [(None, True)]


@pytest.mark.parametrize(
    ("labels", "name"), [({"drill": "forbidden"}, "api-stopped"), *(({}, n) for n in catalogue.KINDS)]
)
async def test_without_permission_nothing_is_touched(on_lab, state, journal, labels, name):
    change(state, "namespace_labels", labels)
    given = {"zone": "zone-c", "toward": "zone-a", "component": "temporal-frontend"}
    fault = catalogue.make(
        name, on_lab, journal, {k: v for k, v in given.items() if k in catalogue.KINDS[name].required}
    )

    with pytest.raises(
        LoadTestError, match="namespace temporal: no faults here: it lacks the label drill=allowed"
    ):
        await fault.__aenter__()

    assert calls(state) == []
    assert journal.entries() == []


async def test_elsewhere_a_zones_pods_are_deleted_and_what_is_missing_is_said(elsewhere, state, journal):
    async with catalogue.make("zone-silent", elsewhere, journal, {"zone": "zone-c"}) as effect:
        assert effect.proof == "node-c cordoned, 2 pods of namespace temporal gone from there"
        assert effect.could_not[0].startswith("no packet was dropped")

    assert calls(state) == [
        "kubectl cordon node-c",
        "kubectl delete pods -n temporal --grace-period=0 --force --wait=false frontend-3 postgres-1",
        "kubectl uncordon node-c",
    ]


async def test_a_node_that_somebody_else_has_cordoned_stays_so(elsewhere, state, journal):
    change(state, "nodes", [node("a"), node("c", is_cordoned=True)])

    async with catalogue.make("zone-powered-off", elsewhere, journal, {"zone": "zone-c"}):
        pass

    assert not any("uncordon" in call for call in calls(state))


@pytest.mark.parametrize("name", ["one-way-partition", "api-stopped"])
async def test_elsewhere_what_has_no_like_is_refused(elsewhere, state, journal, name):
    given = {"zone": "zone-c", "toward": "zone-a"} if name == "one-way-partition" else {}

    with pytest.raises(LoadTestError, match="only the lab can do this, and this cluster is not the lab's"):
        await catalogue.make(name, elsewhere, journal, given).__aenter__()
    assert calls(state) == []


async def test_a_zone_without_nodes_is_refused_by_name(on_lab, journal):
    with pytest.raises(
        LoadTestError, match="zone: 'zone-d' has no nodes; the stack's zones are zone-a, zone-b, zone-c"
    ):
        await catalogue.make("zone-silent", on_lab, journal, {"zone": "zone-d"}).__aenter__()


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ({"how": "graceful"}, "kubectl delete pod frontend-2 -n temporal --wait=false"),
        ({"how": "graceful", "zone": "zone-c"}, "kubectl delete pod frontend-3 -n temporal --wait=false"),
        ({"how": "hard"}, "kubectl delete pod frontend-2 -n temporal --wait=false --grace-period=0 --force"),
    ],
)
async def test_a_ready_pod_is_killed_by_component_and_zone(elsewhere, state, journal, given, call):
    async with catalogue.make(
        "pod-killed", elsewhere, journal, {"component": "temporal-frontend", **given}
    ) as effect:
        assert bool(effect.could_not) == (given["how"] == "hard")
    assert calls(state) == [call]


async def test_the_primary_is_a_component(elsewhere, state, journal):
    async with catalogue.make(
        "pod-killed", elsewhere, journal, {"component": "postgres-primary", "how": "graceful"}
    ):
        pass
    assert calls(state) == ["kubectl delete pod postgres-1 -n temporal --wait=false"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"component": "frontend"},
            "component: 'frontend' is none of this stack; they are cnpg-operator, coredns, postgres, ",
        ),
        (
            {"component": "temporal-frontend", "zone": "zone-a"},
            "temporal-frontend: it has no Ready pod in .*zone=zone-a",
        ),
    ],
)
async def test_a_pod_that_is_not_there_is_refused(elsewhere, journal, given, message):
    with pytest.raises(LoadTestError, match=message):
        await catalogue.make("pod-killed", elsewhere, journal, given).__aenter__()


async def test_a_hard_kill_on_the_lab_needs_the_process_on_this_machine(on_lab, journal):
    with pytest.raises(LoadTestError, match="pod frontend-2: none of its processes is on this machine"):
        await catalogue.make("pod-killed", on_lab, journal, {"component": "temporal-frontend"}).__aenter__()


def test_the_first_process_of_each_container_of_the_pod_is_found(tmp_path):
    def process(pid: int, name: str, inner: str, uid: str, state: str = "S (sleeping)") -> None:
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "cgroup").write_text(f"9:freezer:/routerfleet/node-a/kubepods/pod{uid}/0123\n0::/\n")
        (folder / "status").write_text(f"Name:\t{name}\nState:\t{state}\nNSpid:\t{inner}\n")

    process(10, "temporal-server", "10\t7\t1", "uid-1")
    process(11, "sidecar", "11\t8\t1", "uid-1")
    process(12, "child", "12\t9\t2", "uid-1")
    process(13, "pause", "13\t6\t1", "uid-1")
    process(14, "other", "14\t9\t1", "uid-10")
    process(15, "ended", "15\t9\t1", "uid-1", "Z (zombie)")
    (tmp_path / "16").mkdir()

    assert sorted(main_processes("uid-1", tmp_path)) == [10, 11]


async def test_a_switchover_goes_to_a_healthy_standby(elsewhere, state, journal):
    async with catalogue.make("database-switchover", elsewhere, journal, {}) as effect:
        assert effect.proof == "the primary was postgres-1 and is postgres-2"

    (call,) = calls(state)
    assert call.startswith(
        "kubectl patch clusters.postgresql.cnpg.io postgres -n temporal --subresource=status --type=merge"
    )
    status = json.loads(state.read_text())["cluster"]["status"]
    assert (status["phase"], status["phaseReason"]) == (
        "Switchover in progress",
        "Switching over to postgres-2",
    )


async def test_a_switchover_that_the_operator_does_not_carry_out_is_no_fault(
    elsewhere, state, journal, monkeypatch
):
    change(state, "operator_acts", value=False)
    monkeypatch.setattr(database_switchover, "SECONDS", 0.3)

    with pytest.raises(LoadTestError, match="not within 0 s: postgres-2 is the primary"):
        await catalogue.make("database-switchover", elsewhere, journal, {}).__aenter__()


@pytest.mark.parametrize("to", ["postgres-1", "postgres-9"])
async def test_a_switchover_to_no_standby_is_refused(elsewhere, state, journal, to):
    with pytest.raises(
        LoadTestError, match=f"switchover: '{to}' is no healthy standby; they are postgres-2, postgres-3"
    ):
        await catalogue.make("database-switchover", elsewhere, journal, {"to": to}).__aenter__()
    assert calls(state) == []


def test_faults_go_into_the_default_store_only():
    config = (Path(__file__).parents[2] / "infra" / "snapshots" / "server.yaml").read_text()

    lying = with_faults(config, 0.02, 7)

    added = [line for line in lying.splitlines() if line not in config.splitlines()]
    assert added[:5] == [
        "      faultInjection:",
        "        targets:",
        "          dataStores:",
        "            ExecutionStore:",
        "              methods:",
    ]
    assert lying.index("    default:\n      faultInjection:") < lying.index("    visibility:\n")
    assert lying.replace("\n".join(added) + "\n", "") == config
    with pytest.raises(LoadTestError, match=r"no persistence\.datastores\.default"):
        with_faults("services:\n  default:\n", 0.02, 7)


def test_lies_are_counted_from_the_servers_metrics():
    metrics = """# TYPE persistence_error_with_type counter
persistence_error_with_type{error_type="TimeoutError",operation="UpdateWorkflowExecution"} 3
persistence_error_with_type{error_type="persistence.TimeoutError",operation="CreateWorkflowExecution"} 1e+01
persistence_error_with_type{error_type="ConditionFailedError"} 99
persistence_requests{operation="UpdateWorkflowExecution"} 1000
"""
    assert lies(metrics) == 13


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("database-lies", {"rate": "often"}, "rate: 'often' is not a number, such as 0.02"),
        (
            "database-lies",
            {"rate": "0.9"},
            "rate: 0.9 is no share of the writes above 0 and up to 0.5, such as 0.02",
        ),
        (
            "meteor",
            {},
            "fault: 'meteor' is none; faults are api-stopped, database-lies, database-switchover, disk-full, ",
        ),
        ("zone-silent", {}, "fault zone-silent: it lacks zone"),
        ("api-stopped", {"zone": "zone-a"}, "fault api-stopped: zone is no parameter of it; it takes none"),
        (
            "pod-killed",
            {"component": "x", "how": "softly"},
            "how: 'softly' is no way to end a pod; ways are graceful, hard",
        ),
        (
            "rolling-restart",
            {"order": "random"},
            "order: 'random' is none; workloads restart 'in turn' or 'together'",
        ),
    ],
)
def test_a_fault_that_is_none_is_refused_in_one_line(elsewhere, journal, name, given, message):
    with pytest.raises(LoadTestError, match=message):
        catalogue.make(name, elsewhere, journal, given)
