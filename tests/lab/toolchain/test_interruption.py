"""What a killed or a second run leaves and finds: real processes, a fake `go`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.toolchain import Progress, ensure
from tests.lab.toolchain import fakes

RUN = """
import sys
from pathlib import Path
from lab.toolchain import LineProgress, installer, model
from tests.lab.toolchain import fakes
model.GOMODULES = Path(sys.argv[1])
installer.BY_NAME = {"hammer": fakes.HAMMER}
installer.ensure(["hammer"], LineProgress(sys.stdout))
"""


def start(workshop: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(workshop / "gomodules")],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that within 20 s"
        time.sleep(0.02)


def half_built(workshop: Path) -> list[Path]:
    return list((workshop / "cache" / "tools").glob(".making-hammer.*/out/hammer"))


def test_a_killed_build_is_repaired_by_the_next_run(workshop: Path):
    victim = start(workshop, FAKE_GO_HANGS="yes")
    wait_until(lambda: half_built(workshop))
    victim.kill()
    victim.communicate()

    assert [path.read_text() for path in half_built(workshop)] == ["half"]
    made = ensure(["hammer"], Progress())["hammer"]

    assert made.read_text() == "#!/bin/sh\necho 1.2.3\n"
    assert list((workshop / "cache" / "tools").iterdir()) == [made.parent.parent]


def test_a_killed_run_takes_its_build_with_it(workshop: Path):
    victim = start(workshop, FAKE_GO_HANGS="yes")
    wait_until(lambda: half_built(workshop))
    children = Path(f"/proc/{victim.pid}/task").glob("*/children")
    builder = next(int(pid) for file in children for pid in file.read_text().split())
    victim.kill()
    victim.communicate()

    wait_until(lambda: not Path(f"/proc/{builder}").exists())


def test_ctrl_c_leaves_nothing_half_built(workshop: Path):
    victim = start(workshop, FAKE_GO_HANGS="yes")
    wait_until(lambda: half_built(workshop))
    os.killpg(victim.pid, signal.SIGINT)  # as a terminal does
    victim.communicate(timeout=20)

    assert list((workshop / "cache" / "tools").iterdir()) == []


def test_a_second_run_waits_and_builds_nothing(workshop: Path):
    lock = workshop / "cache" / "locks" / "go-hammer"
    runs = [start(workshop) for _ in range(2)]
    said = [run.communicate(timeout=30)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0]
    assert fakes.builds(workshop) == 1, said
    assert lock.exists()


@pytest.mark.parametrize("is_held", [True, False])
def test_waiting_is_said_only_when_someone_else_holds_the_lock(workshop: Path, is_held: bool):
    holder = start(workshop, FAKE_GO_HANGS="yes") if is_held else None
    if holder:
        wait_until(lambda: half_built(workshop))
    second = start(workshop)
    if holder:
        assert second.stdout is not None
        assert second.stdout.readline() == "waiting for another run that builds hammer 1.2.3\n"
        holder.kill()
        holder.communicate()
    said = second.communicate(timeout=30)[0]

    assert second.returncode == 0
    assert said.splitlines()[0] == "build hammer 1.2.3: hammer ... (about 1 s the first time)"


ISOLATED = """
import sys
from pathlib import Path
from lab.toolchain import run
place = sys.argv[1]
script = f"mount -t tmpfs none {place} && touch {place}/inside {place}.ready; (setsid sleep 47 &) ; sleep 47"
run.logged(["sh", "-c", script], Path(f"{place}.log"), is_isolated=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_an_isolated_command_leaves_neither_mounts_nor_processes(tmp_path: Path):
    place = tmp_path / "place"
    place.mkdir()
    victim = subprocess.Popen([sys.executable, "-c", ISOLATED, place], cwd=Path(__file__).parents[3])
    wait_until((tmp_path / "place.ready").exists)

    assert list(place.iterdir()) == []
    assert str(place) not in Path("/proc/self/mountinfo").read_text()
    victim.kill()
    victim.wait()
    wait_until(
        lambda: (
            subprocess.run(["pgrep", "-f", "^sleep 47$"], stdout=subprocess.DEVNULL, check=False).returncode
        )
    )
