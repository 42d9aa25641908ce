"""What a run shows and comes to: pure cases, then whole runs on a dev server."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

import pytest

from load_tests.errors import LoadTestError
from load_tests.generator.assignment import all_due, plan_probes, split
from load_tests.generator.self_check import Quality
from load_tests.models import ClientKind, Operation, OperationKind, Outcome
from load_tests.runs.execution import LoadRun
from load_tests.runs.judgement import Checked, judge
from load_tests.runs.plots import Line, Span, plot, round_up
from load_tests.runs.report import write_report
from load_tests.runs.settings import RunSettings, parse_duration, plan_of
from load_tests.runs.summary import longest_outage, summarise
from load_tests.stack import Target
from worker.bench.support.verdict import Verdict
from worker.demo.deployments import DEFAULT_TENANTS

GOOD = Quality(planned=3, dispatched=3, schedule_p99_seconds=0.002, idle=0.5, generator_processors=0.1)
BAD = replace(GOOD, idle=0.1)
CLEAN = Checked(Verdict.PASS)
TARGET = Target("dev", "a:1", {"zone-a": "a:1", "zone-b": "b:1"}, DEFAULT_TENANTS, "http://r")


def operation(
    number, intended, *, outcome=Outcome.OK, latency=0.1, client=ClientKind.USER, zone="", error=""
):
    return Operation(
        number, OperationKind.START, client, "chogar", zone, "production", f"w{number}", f"k{number}",
        intended, intended, intended + latency, outcome, error=error,
    )  # fmt: skip


def test_summary_counts_by_when_operations_were_due():
    summary = summarise(
        [
            operation(1, 99.9),  # prepared the run
            operation(2, 100.5, latency=5),
            operation(3, 101.5, outcome=Outcome.UNKNOWN, error="UNAVAILABLE"),
            operation(4, 101.6),
            operation(5, 103.0),  # after the end
        ],
        100,
        3,
    )
    assert [(second.due, second.ok) for second in summary.rates] == [(1, 1), (2, 1), (0, 0)]
    assert summary.outcomes[ClientKind.USER] == {Outcome.OK: 2, Outcome.UNKNOWN: 1}
    assert summary.unanswered == 1
    assert summary.errors == {ClientKind.USER: {"UNAVAILABLE": 1}}
    assert sorted(summary.latencies) == ["user start", "user start chogar"]
    assert summary.latencies["user start"].most == pytest.approx(5, rel=1e-3)
    assert summary.slowest["start"][0] == pytest.approx(5)


def test_availability_is_that_of_the_probes_of_each_zone():
    probe = partial(operation, client=ClientKind.PROBE)
    summary = summarise(
        [
            probe(1, 100.1, zone="a"),
            probe(2, 101.1, zone="a", outcome=Outcome.UNKNOWN),
            probe(3, 101.6, zone="a"),
            probe(4, 100.2, zone="b", outcome=Outcome.UNKNOWN),
            probe(5, 102.2, zone="b", outcome=Outcome.FAILED),
        ],
        100,
        3,
    )
    assert summary.availability == {"a": [1.0, 0.5, None], "b": [0.0, None, 0.0]}
    assert summary.outages == {"a": 0, "b": 2}


def test_the_longest_outage_is_not_ended_by_a_second_without_probes():
    assert longest_outage([1.0, 0.0, 0.0, 0.5, 0.0, None, 0.0, 0.0, 1.0]) == 3


@pytest.mark.parametrize(
    ("outcomes", "quality", "checked", "is_interrupted", "verdict", "reason"),
    [
        ([Outcome.OK], GOOD, CLEAN, False, Verdict.PASS, "every operation of the users was acknowledged"),
        ([Outcome.OK], BAD, CLEAN, False, Verdict.INVALID, "the machine was 10% idle"),
        ([Outcome.OK], GOOD, CLEAN, True, Verdict.INCONCLUSIVE, "it was interrupted"),
        ([Outcome.OK], BAD, Checked(Verdict.FAIL, ("lost",)), True, Verdict.FAIL, "lost"),
        (
            [Outcome.OK, Outcome.UNKNOWN],
            GOOD,
            CLEAN,
            False,
            Verdict.FAIL,
            "1 operations of users had no answer",
        ),
        (
            [Outcome.OK, Outcome.NOT_SENT],
            GOOD,
            CLEAN,
            False,
            Verdict.FAIL,
            "1 operations of users could not be sent",
        ),
        ([Outcome.FAILED], GOOD, CLEAN, False, Verdict.FAIL, "1 operations of users were refused"),
        ([], GOOD, CLEAN, False, Verdict.INCONCLUSIVE, "no user's operation was due"),
        (
            [Outcome.OK],
            GOOD,
            Checked(Verdict.INCONCLUSIVE, ("unread",)),
            False,
            Verdict.INCONCLUSIVE,
            "unread",
        ),
    ],
)
def test_verdicts(outcomes, quality, checked, is_interrupted, verdict, reason):
    summary = summarise([operation(n, 100.5, outcome=outcome) for n, outcome in enumerate(outcomes)], 100, 1)
    found = judge(summary, quality, checked, is_interrupted=is_interrupted)
    assert found.verdict is verdict
    assert found.reasons[0].startswith(reason)


def test_a_probe_that_fails_is_no_failure_of_a_run_without_gates():
    summary = summarise(
        [operation(1, 100.5), operation(2, 100.5, client=ClientKind.PROBE, outcome=Outcome.UNKNOWN)], 100, 1
    )
    assert judge(summary, GOOD, CLEAN).verdict is Verdict.PASS


def test_a_plan_is_dealt_out_whole():
    settings = RunSettings("deployments", "dev", rate=7, seconds=20, probe_rate=3, mix="chogar=2,afijo=1")
    due = plan_of(settings, TARGET)
    assert [item.number for item in due] == list(range(1, len(due) + 1))
    assert Counter(item.zone for item in due if item.zone) == {"zone-a": 60, "zone-b": 60}
    assert {item.tenant for item in due} == {"chogar", "afijo"}
    parts = split(due, 3)
    assert sorted(chain(*parts), key=lambda item: item.number) == due
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_no_probes():
    assert plan_probes(["a"], ["t"], 0, 10, 1) == []
    assert all_due([], []) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "nothing"}, "scenario 'nothing' must be one of deployments, messages, timers"),
        ({"rate": 0}, "--rate: 0 must be above 0"),
        ({"processes": 65}, "--processes: 65 must be from 1 to 64"),
        ({"cap": 0}, "--cap: 0 must be at least 1"),
        ({"probe_rate": -1}, "--probe-rate: -1 must be 0 or more"),
        (
            {"options": ("senders=1",)},
            "--set: 'senders' is not known to deployments; it takes latency_seconds",
        ),
        ({"options": ("latency_seconds=x",)}, "--set: latency_seconds='x' must be a number, 0 or more"),
        ({"shape": "sine"}, "--shape: 'sine' must be one of"),
    ],
)
def test_bad_settings_are_one_line(changes, message):
    with pytest.raises(LoadTestError) as error:
        RunSettings(**{"scenario": "deployments", "stack": "dev", "rate": 1, "seconds": 1, **changes})
    assert str(error.value).startswith(message)


def test_durations():
    assert [parse_duration(text) for text in ("90", "90s", "1.5m", "1h")] == [90, 90, 90, 3600]
    for text in ("", "0", "10d", "-1", "m"):
        with pytest.raises(LoadTestError, match=r"--duration: .* must be a time above 0"):
            parse_duration(text)


def test_a_plot_is_well_formed_and_leaves_gaps():
    figure = plot("a <b>", "ms", [Line("x", [1, None, 3, 4]), Line("y", [])], 4, [Span(1, 2, "zone <a>")])
    tree = ET.fromstring(figure.replace("&#9644;", ""))  # noqa: S314 - our own
    assert len(tree.findall(".//polyline")) == 1
    assert len(tree.findall(".//circle")) == 1
    assert [round_up(value) for value in (0, 0.3, 1, 1.1, 7, 20, 21)] == [1, 0.5, 1, 2, 10, 20, 50]


def settings_of(scenario, rate=8, seconds=3, **changes):
    return RunSettings(scenario, "dev", rate, seconds, result_seconds=30, **changes)


async def until_something_ended(run):
    while not run.progress().outcomes:  # noqa: ASYNC110 - the processes say it every half second
        await asyncio.sleep(0.05)


async def conclude(target, folder, settings, meanwhile=None):
    async with LoadRun(settings, target, folder) as run:
        run.start()
        if meanwhile:
            await meanwhile(run)
        await run.wait()
        return await run.conclude()


@pytest.mark.parametrize(
    ("scenario", "rate", "options", "checked"),
    [
        ("deployments", 5, (), {"lost starts", "stuck workflows", "wrong results", "missing effects"}),
        ("messages", 15, ("senders=3",), {"lost messages", "repeated messages"}),
        ("timers", 8, ("least_seconds=0.1", "most_seconds=2"), {"early timers"}),
        ("heartbeats", 3, ("beats=2", "every_seconds=0.2"), {"wrong results"}),
        ("rollouts", 1, ("routers=2", "parallelism=2"), {"wrong results", "missing effects"}),
        ("large-history", 2, ("steps=60",), {"wrong results", "replay determinism"}),
        ("schedules", 2, ("actions=2",), {"replay determinism", "visibility"}),
    ],
)
async def test_a_scenario_runs_and_the_store_agrees(dev_target, tmp_path, scenario, rate, options, checked):
    result = await conclude(
        dev_target, tmp_path, settings_of(scenario, rate, 1, options=options, processes=1)
    )
    table = cast("list[dict]", result.checker_report["invariants"])
    looked_at = {item["invariant"] for item in table if item["checked"]}
    assert result.checked == Checked(Verdict.PASS)
    assert checked <= looked_at
    assert result.summary.unanswered == 0
    assert result.quality.dispatched == result.quality.planned
    assert result.quality.problems == ()
    page = write_report(tmp_path).read_text()
    assert result.judgement.verdict in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert json.loads((tmp_path / "run.json").read_text())["verdict"] == result.judgement.verdict


async def test_two_processes_share_a_plan(dev_target, tmp_path):
    result = await conclude(
        dev_target, tmp_path, settings_of("timers", 10, 2, processes=2, options=("most_seconds=1",))
    )
    assert result.checked == Checked(Verdict.PASS)
    assert result.summary.outcomes[ClientKind.USER].total() == result.summary.count(
        ClientKind.USER, Outcome.OK
    )
    assert result.quality.dispatched == result.quality.planned


async def test_beyond_the_cap_nothing_is_sent_and_that_is_a_failure(dev_target, tmp_path):
    settings = settings_of(
        "timers", 10, 2, cap=2, probe_rate=0, options=("least_seconds=2", "most_seconds=2")
    )
    result = await conclude(dev_target, tmp_path, settings)
    not_sent = result.summary.count(ClientKind.USER, Outcome.NOT_SENT)
    assert not_sent > 10
    assert result.quality.dispatched == result.quality.planned
    assert judge(result.summary, GOOD, result.checked).verdict is Verdict.FAIL


async def test_an_interrupted_run_ends_with_what_there_is(dev_target, tmp_path):
    async def interrupt(run):
        await until_something_ended(run)
        run.interrupt()

    result = await conclude(dev_target, tmp_path, settings_of("timers", 10, 60), interrupt)
    assert result.judgement.verdict is Verdict.INCONCLUSIVE
    assert result.summary.outcomes[ClientKind.USER].total() > 0
    assert write_report(tmp_path).exists()


async def test_a_generator_without_processor_time_is_invalid(dev_target, tmp_path):
    async def starve(run):
        (member,) = run._crew._members
        await asyncio.sleep(1)
        os.kill(member.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.7)
        os.kill(member.process.pid, signal.SIGCONT)

    result = await conclude(
        dev_target, tmp_path, settings_of("timers", 20, 2, options=("most_seconds=1",)), starve
    )
    assert result.judgement.verdict is Verdict.INVALID
    assert "operations were sent" in result.judgement.reasons[0]


async def test_a_killed_generator_is_invalid_and_keeps_what_it_sent(dev_target, tmp_path):
    async def kill(run):
        await until_something_ended(run)
        run._crew._members[0].process.kill()

    settings = settings_of("timers", 10, 60, options=("most_seconds=1",))
    result = await conclude(dev_target, tmp_path, settings, kill)
    assert result.summary.outcomes[ClientKind.USER].total() > 0
    assert result.quality.complaints()[0].startswith("the generator itself failed: process 0: ended with -9")


async def test_the_worker_of_a_run_ends_when_the_run_was_killed(dev_target, tmp_path):
    runner = (
        "import asyncio, sys; from pathlib import Path; from load_tests.stack import Target, workload\n"
        "import json\n"
        "async def main():\n"
        "    async with workload(Target.from_json(json.loads(sys.argv[1])), Path(sys.argv[2])) as part:\n"
        "        print(part.process.pid, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    arguments = json.dumps(dev_target.to_json()), str(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", runner, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    for _ in range(200):
        if not is_alive(child):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the worker still runs")


def is_alive(process):
    """Return whether it runs; one that has ended and that nobody has waited for has no command line."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except OSError:
        return False
