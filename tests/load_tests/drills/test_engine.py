"""Whole drills on a dev server whose process really stands still."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from load_tests.drills import gates, phases, results, steady
from load_tests.drills.drill import Phases
from load_tests.drills.engine import PREDICTION_FILE, Engine, _Found
from load_tests.drills.outlook import LiveOutlook
from load_tests.drills.phases import Phase
from load_tests.drills.prediction import Comparison, Expected
from load_tests.drills.report import write_page
from load_tests.drills.results import FaultReport
from load_tests.errors import LoadTestError
from load_tests.faults.journal import Journal
from load_tests.generator import self_check
from load_tests.runs.judgement import Checked
from tests.load_tests.drills.made_up import result as made_up
from tests.load_tests.drills.support import MOMENTS, DevSite, drill
from worker.bench.support.verdict import Verdict


class Prophet:
    """Predicts that the whole server is out for some seconds."""

    def __init__(self, folder):
        self.folder = folder

    async def expected(self, fault, parameters):
        assert (fault, parameters) == ("standstill", {})
        return Expected(1.0, 5, ["everybody"], ["the server is one"])

    async def observed_share(self, operations, since, until):
        assert (self.folder / PREDICTION_FILE).exists()
        assert since < until
        return sum(1 for _ in operations) and 1.0


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Drills of seconds have few operations, and tests share the machine with whatever else runs on it."""
    monkeypatch.setattr(gates, "OPERATIONS_MIN", 0)
    monkeypatch.setattr(steady, "IDLE_MIN", 0)
    monkeypatch.setattr(self_check, "IDLE_MIN", 0)
    monkeypatch.setattr(self_check, "SCHEDULE_ERROR_SECONDS_MAX", 0.3)


AT_ONCE = Phases(steady_seconds=0.2, fault_seconds=5, recovery_seconds=1)


@pytest.fixture
def steady_at_once(monkeypatch):
    """A drill whose steady state is not looked at, for what comes after it."""
    monkeypatch.setattr(phases, "disturbances", lambda *_: [])
    return drill(phases=AT_ONCE)


def is_running(process):
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] in "SR"


def at_phase(phase, act):
    """Return what does something once the drill is at a phase."""

    @asynccontextmanager
    async def show(view):
        async def wait():
            while view.timeline.phase is not phase:  # noqa: ASYNC110 - as a person who looks at it
                await asyncio.sleep(0.02)
            await act(view)

        task = asyncio.create_task(wait())
        try:
            yield
        finally:
            task.cancel()

    return show


async def test_a_standstill_is_seen_healed_and_judged(dev_target, tmp_path):
    engine = Engine(dev_target, DevSite(dev_target.server_process), Prophet(tmp_path))
    result = await engine.run(drill(), tmp_path)

    assert result.judgement.verdict is Verdict.PASS, result.judgement.reasons
    assert result.measures is not None
    assert 1.3 < result.measures.outage_seconds < 4
    assert result.measures.failed_operations == 0
    assert result.violations["lost starts"] == 0
    assert result.fault.proof.endswith("is in state T")
    assert result.redundant_seconds == 0
    assert is_running(dev_target.server_process)
    assert Journal(tmp_path).pending() == []
    page = write_page(tmp_path)
    assert page is not None
    assert "outage" in page.read_text()
    kept = results.read(tmp_path / results.FILE)
    assert (kept["verdict"], kept["prediction"]["observed_share"]) == ("PASS", 1.0)
    assert str(Path.cwd()) not in json.dumps(kept)


async def test_a_fault_that_was_not_injected_is_invalid(dev_target, tmp_path, steady_at_once):
    engine = Engine(dev_target, DevSite(dev_target.server_process, is_real=False))
    result = await engine.run(steady_at_once, tmp_path)

    assert result.judgement.verdict is Verdict.INVALID
    assert result.judgement.reasons == ("the fault was not injected: not within 0 s: the server stopped",)
    assert result.measures is None
    assert Journal(tmp_path).pending() == []
    assert write_page(tmp_path) is not None


async def test_a_starved_generator_is_invalid(dev_target, tmp_path):
    async def starve(view):
        (member,) = view.run._crew._members
        os.kill(member.process.pid, signal.SIGSTOP)
        await asyncio.sleep(1)
        os.kill(member.process.pid, signal.SIGCONT)

    showing = at_phase(Phase.RECOVERY, starve)
    engine = Engine(dev_target, DevSite(dev_target.server_process), showing=showing)
    result = await engine.run(drill(), tmp_path)

    assert result.judgement.verdict is Verdict.INVALID
    assert "operations were sent" in result.judgement.reasons[0]


async def test_an_interrupt_heals_and_leaves_no_result(dev_target, tmp_path, steady_at_once):
    tasks: list[asyncio.Task] = []

    async def interrupt(_):
        tasks[0].cancel()

    showing = at_phase(Phase.FAULT, interrupt)
    engine = Engine(dev_target, DevSite(dev_target.server_process), showing=showing)
    tasks.append(asyncio.create_task(engine.run(steady_at_once, tmp_path)))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]

    (entry,) = Journal(tmp_path).entries()
    assert entry.effect_at is not None
    assert entry.healed_at is not None
    assert is_running(dev_target.server_process)
    assert not (tmp_path / results.FILE).exists()


async def test_no_steady_state_no_fault(dev_target, tmp_path):
    engine = Engine(dev_target, DevSite(dev_target.server_process))
    result = await engine.run(drill(phases=AT_ONCE), tmp_path)

    assert result.judgement.verdict is Verdict.INVALID
    assert "before the fault nothing was acknowledged" in result.judgement.reasons[0]
    assert Journal(tmp_path).entries() == []


async def test_what_was_not_ready_before_makes_it_invalid(dev_target, tmp_path):
    engine = Engine(dev_target, DevSite(0, unready=["node node-b"]), ready_seconds=0)
    result = await engine.run(drill(), tmp_path)
    assert result.judgement.verdict is Verdict.INVALID
    assert result.judgement.reasons == ("not everything was Ready before the drill: node node-b",)
    assert results.read(tmp_path / results.FILE)["verdict"] == "INVALID"


async def test_where_faults_are_not_wanted_nothing_is_touched(dev_target, tmp_path):
    with pytest.raises(LoadTestError, match="no faults here"):
        await Engine(dev_target, DevSite(0, is_allowed=False)).run(drill(), tmp_path / "drill")
    assert not (tmp_path / "drill").exists()


@pytest.mark.parametrize(("share", "verdict"), [(0.9, Verdict.PASS), (0.8, Verdict.FAIL)])
async def test_a_wrong_prediction_fails_a_drill(dev_target, tmp_path, share, verdict):
    engine = Engine(dev_target, DevSite(0))
    made = made_up()
    result = await engine._keep(
        made.drill, tmp_path, _Found(FaultReport("standstill", {})), checked=Checked(Verdict.PASS),
        measures=made.measures, marks=[], comparison=Comparison(Expected(1.0, 5), share, 3.0),
    )  # fmt: skip
    assert result.judgement.verdict is verdict


async def test_the_server_tells_its_shards_and_they_are_handed_on(dev_target):
    def observed(operations, ids, count, since, until):
        assert (list(operations), since, until) == ([], 1, 2)
        assert sorted(ids) == sorted(dev_target.namespaces)
        assert all(len(one) == 36 for one in ids.values())
        return 1 / count

    outlook = LiveOutlook(dev_target, lambda fault, given: Expected(0.3, len(given), [fault]), observed)
    assert await outlook.expected("pod-killed", {"component": "x"}) == Expected(0.3, 1, ["pod-killed"])
    share = await outlook.observed_share([], 1, 2)
    assert share is not None
    assert 0 < share <= 1


async def test_a_share_of_shards_that_cannot_be_told_leaves_a_predicted_drill_open(dev_target, tmp_path):
    class Blind(Prophet):
        async def observed_share(self, operations, since, until):  # noqa: ARG002
            raise LoadTestError("stack dev: shards and namespaces: gone")

    engine = Engine(dev_target, DevSite(0), Blind(tmp_path))
    found = _Found(FaultReport("standstill", {}), Expected(1.0, 5), moments=MOMENTS)
    _, comparison = await engine._measured(found, [])
    assert comparison is not None
    assert comparison.observed_share is None
    assert found.unknown == [
        "stack dev: shards and namespaces: gone", "which share of the shards was out could not be told",
    ]  # fmt: skip
