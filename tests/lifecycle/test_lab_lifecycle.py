"""The lab comes, is repaired and goes without a trace. Needs root and a machine whose lab is down.

Not among the `live` tests, because it takes the lab down: `make lifecycle`, and the last step of CI.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.lifecycle, pytest.mark.timeout(600), pytest.mark.usefixtures("before")]


def lab(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, f"lab {' '.join(arguments)}: {done.stderr}"
    return done


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def traces() -> dict[str, object]:
    """Everything on this machine that a lab could leave behind, without what changes by itself."""
    links = [link["ifname"] for link in json.loads(output("ip", "-j", "link"))]
    return {
        "processes of a lab": [
            line for line in output("ps", "-eo", "args").splitlines()
            if re.search(r"/(etcd|kube-\w+|kubelet|containerd\S*) |lab/cluster/", line)
        ],
        "network namespaces": sorted(json.dumps(ns) for ns in json.loads(output("ip", "-j", "netns", "list") or "[]")),
        "links": sorted(links),
        "routes": sorted(output("ip", "route", "show", "table", "all").splitlines()),
        "neighbours": sorted(output("ip", "neigh", "show", "nud", "permanent").splitlines()),
        "mounts": sorted(line.split(" - ")[0].split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "control groups": sorted(str(p) for p in Path("/sys/fs/cgroup").glob("**/routerfleet")),
        "sysctl": output("sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter"),
        "loop devices": output("losetup", "--list", "--noheadings", "--output", "BACK-FILE"),
        "folders": sorted(str(p) for d in ("/run", "/var/lib", "/var/log", "/etc") for p in Path(d).iterdir()),
        "state": (Path.home() / ".local/state/routerfleet/lab").exists(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def before():
    status = json.loads(lab("status", "--json", check=False).stdout)
    if status["api"] != "down":
        pytest.fail("the lab is up: these tests would take it down; run `make down` first")
    lab("down")
    yield traces()
    lab("down")


def is_up() -> bool:
    return json.loads(lab("status", "--json", check=False).stdout)["is_up"]


def machine_pid(name: str) -> int:
    return json.loads((Path.home() / f".local/state/routerfleet/lab/machines/{name}/pid.json").read_text())[
        "pid"
    ]


def test_up_is_interrupted_and_the_next_one_repairs_it():
    first = subprocess.Popen([sys.executable, "-m", "lab", "up"], cwd=ROOT, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("nodes"):
            break
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()

    lab("up")
    assert is_up()


def test_a_half_dead_lab_is_repaired():
    lab("up")
    for name in ("node-b", "control"):
        os.kill(machine_pid(name), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_up():
        assert time.monotonic() < deadline, "the killed machines still count as up"
    assert not is_up()

    lab("up")
    assert is_up()


def test_a_second_up_changes_nothing():
    lab("up")
    pids = [machine_pid(name) for name in ("control", "node-a", "node-b", "node-c")]

    lab("up")

    assert [machine_pid(name) for name in ("control", "node-a", "node-b", "node-c")] == pids


def test_down_leaves_nothing(before):
    lab("up")
    assert traces() != before

    lab("down")

    assert traces() == before
