"""The faults of the load tests on the real stack: each takes effect, is proven and undone; nothing is left."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from load_tests.errors import LoadTestError
from load_tests.faults import catalogue, guard, target
from load_tests.faults.guard import guarding
from load_tests.faults.target import Target
from tests.live.conftest import ROOT, lab, wait_until
from tests.live.support import report, wait_all_ready

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]
READY_SECONDS = 420


@pytest.fixture
def stack(kubectl, outputs, lab_env, monkeypatch):
    """The stack as the faults take it."""
    for name in ("KUBECONFIG", "PATH"):
        monkeypatch.setenv(name, lab_env[name])
    wait_all_ready(kubectl, READY_SECONDS)
    found = target.find_lab()
    assert found is not None
    selectors = {name: component["selector"] for name, component in outputs["components"].items()}
    yield Target(outputs["kubernetes_namespace"], selectors, outputs["zones"], lab=found)
    lab("heal")
    wait_all_ready(kubectl, READY_SECONDS)


def inject(stack: Target, folder: Path, name: str, **given: str):
    """Bring a fault about and heal it; return its effect and how long it took."""

    async def run():
        with guarding(folder) as journal:
            start = time.time()
            async with catalogue.make(name, stack, journal, given) as effect:
                took = time.time() - start
                await catalogue.make(name, stack, journal, given).heal()  # of one that never began: nothing
            assert journal.pending() == []
            return effect, took

    return asyncio.run(run())


KILLED = [
    *(("temporal-" + name, how) for name in ("frontend", "history", "matching", "worker") for how in ("hard", "graceful")),
    ("temporal-balancer", "hard"), ("postgres-pooler", "hard"), ("postgres-primary", "hard"), ("worker-shared", "hard"),
    ("cnpg-operator", "hard"), ("coredns", "hard"),
]  # fmt: skip


@pytest.mark.parametrize(("component", "how"), KILLED)
def test_a_pod_of_each_component_is_killed(stack, kubectl, tmp_path, capsys, component, how):
    effect, took = inject(stack, tmp_path, "pod-killed", component=component, how=how)

    assert abs(effect.at - time.time()) < 30
    assert effect.could_not == ()
    ready = wait_all_ready(kubectl, READY_SECONDS)
    report(
        capsys,
        f"killed-{component}-{how}",
        proof=effect.proof,
        seconds_to_prove=round(took, 2),
        seconds_to_ready=round(ready, 1),
    )


def test_a_switchover_moves_the_primary(stack, kubectl, tmp_path, capsys):
    effect, took = inject(stack, tmp_path, "database-switchover")

    ready = wait_all_ready(kubectl, READY_SECONDS)
    report(capsys, "switchover", proof=effect.proof, seconds=round(took, 1), seconds_to_ready=round(ready, 1))


def test_everything_is_restarted(stack, tmp_path, capsys):
    async def run() -> tuple[str, float]:
        with guarding(tmp_path) as journal:
            fault = catalogue.make("rolling-restart", stack, journal, {"order": "together"})
            async with fault as effect:
                await fault.until_over()
                return effect.proof, time.time() - effect.at

    proof, seconds = asyncio.run(run())
    report(capsys, "rolling-restart", proof=proof, seconds=round(seconds))


def test_a_full_disk_is_full_and_then_empty_again(stack, kubectl, tmp_path, capsys):
    effect, took = inject(stack, tmp_path, "disk-full")

    ready = wait_all_ready(kubectl, READY_SECONDS)
    report(capsys, "disk-full", proof=effect.proof, seconds=round(took, 1), seconds_to_ready=round(ready, 1))


@pytest.mark.parametrize(
    "fault", [("zone-silent", {"zone": "zone-b"}), ("node-frozen", {"zone": "zone-b"}), ("api-stopped", {})]
)
def test_the_runner_is_killed_and_its_fault_is_gone_within_a_minute(stack, kubectl, tmp_path, capsys, fault):
    name, given = fault
    run = f"""
import asyncio, time
from pathlib import Path
from load_tests.faults import catalogue
from load_tests.faults.guard import guarding
from load_tests.faults.target import Target

async def main():
    with guarding(Path({str(tmp_path)!r})) as journal:
        async with catalogue.make({name!r}, Target({stack.namespace!r}, {{}}, {list(stack.zones)!r}, lab={tuple(stack.lab)!r}), journal, {given!r}):
            print("in effect", flush=True)
            await asyncio.sleep(600)

asyncio.run(main())
"""
    runner = subprocess.Popen([sys.executable, "-c", run], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "in effect\n"
        runner.kill()
    killed = time.monotonic()

    wait_until(lambda: lab_faults() == [], "the fault is gone", 60)
    gone = time.monotonic() - killed
    wait_until(lambda: not guards(), "the guard has ended", 240)
    ready = wait_all_ready(kubectl, 300 - gone)
    report(capsys, f"runner-killed-{name}", seconds_to_heal=round(gone, 1), seconds_to_ready=round(ready, 1))


def lab_faults() -> list[str]:
    done = subprocess.run(
        [*target.LAB, "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [fault["fault"] for fault in json.loads(done.stdout)["faults"]]


def guards() -> list[str]:
    found = []
    for proc in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = proc.read_bytes()
        except OSError:
            continue
        if guard.MODULE.encode() in words.split(b"\0"):
            found.append(proc.parent.name)
    return found


def test_without_permission_the_real_cluster_is_left_alone(stack, kubectl, tmp_path):
    kubectl.run("label", "namespace", stack.namespace, "drill-")
    try:
        with pytest.raises(LoadTestError, match="no faults here: it lacks the label drill=allowed"):
            inject(stack, tmp_path, "zone-silent", zone="zone-b")
    finally:
        kubectl.run("label", "namespace", stack.namespace, "drill=allowed")
    assert lab_faults() == []
    assert not (tmp_path / "faults.jsonl").exists()
