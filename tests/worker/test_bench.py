"""The benchmarks: their verdicts, pure, and one small run of each, real."""

from __future__ import annotations

import subprocess
import sys

import pytest

from worker.bench import neighbour, tenants
from worker.bench.neighbour import Case
from worker.bench.support.verdict import Verdict
from worker.tenancy import Strategy

OURS = tenants.Result("derived", 1000, 1000, deployed=1000, mb_per_queue=0.4)
NAIVE = tenants.Result("stock", 1000, 1000, deployed=3, mb_per_queue=0.8)
SHARED = tenants.Result("shared", 1, 1000, deployed=1000)


@pytest.mark.parametrize(
    ("ours", "shared", "verdict", "reason"),
    [
        (OURS, SHARED, Verdict.PASS, "0.40 MB per queue, goal 0.5; stock: deploys 3 of 1000"),
        (
            tenants.Result("derived", 1000, 1000, deployed=1000, mb_per_queue=0.51),
            SHARED,
            Verdict.FAIL,
            "0.51 MB per queue, goal 0.5",
        ),
        (
            tenants.Result("derived", 1000, 1000, deployed=999, mb_per_queue=0.4),
            SHARED,
            Verdict.FAIL,
            "derived: 999 of 1000 deployed",
        ),
        (
            OURS,
            tenants.Result("shared", 1, 1000, deployed=0),
            Verdict.FAIL,
            "shared: 0 of 1000 deployed",
        ),
        (
            tenants.Result("derived", 20, 20, deployed=20, mb_per_queue=3),
            SHARED,
            Verdict.INCONCLUSIVE,
            "all deployed; memory per queue is judged from 300 queues",
        ),
    ],
)
def test_verdict_of_tenants(
    ours: tenants.Result, shared: tenants.Result, verdict: Verdict, reason: str
) -> None:
    assert tenants.judge([ours, NAIVE, shared]) == (verdict, reason)


def measured(harm: float, left: float, *, samples: int = 1000, lag_p99_ms: float = 5, refused: int = 0):
    """Return results of one strategy: without limits `harm` times as long as in peace, with them `left` times."""
    ratios = {
        (False, "peace"): 1.0,
        (False, "flood"): 1.5,
        (False, "long steps"): harm,
        (True, "peace"): 1.0,
        (True, "flood"): left,
        (True, "long steps"): 1.0,
    }
    return [
        neighbour.Result(
            Case(Strategy.SHARED_QUEUE, is_limited, load), samples, 5, 10, lag_p99_ms, refused, ratio
        )
        for (is_limited, load), ratio in ratios.items()
    ]


FIGURES = "shared-queue: 8.0 times as long without the limits, 1.15 times with them"


@pytest.mark.parametrize(
    ("results", "verdict", "first"),
    [
        (measured(8, 1.15), Verdict.PASS, FIGURES),
        (
            measured(8, 1.21),
            Verdict.FAIL,
            "shared-queue: 8.0 times as long without the limits, 1.21 times with them; goal 1.2",
        ),
        (
            measured(1.9, 1.15),
            Verdict.INVALID,
            (
                "shared-queue: 1.9 times as long without the limits, 1.15 times with them;"
                " without them at least 2 were to be shown"
            ),
        ),
        (
            measured(8, 1.15, lag_p99_ms=101),
            Verdict.INVALID,
            "shared-queue, peace, without limits: the load was sent 101 ms late",
        ),
        (
            measured(8, 1.15, refused=1),
            Verdict.INVALID,
            "shared-queue, peace, with limits: the server turned 1 bursts away",
        ),
        (
            measured(8, 1.15, samples=999),
            Verdict.INCONCLUSIVE,
            "999 samples of a quiet tenant, 1000 are needed",
        ),
    ],
)
def test_verdict_of_neighbour(results: list[neighbour.Result], verdict: Verdict, first: str) -> None:
    judged, reasons = neighbour.judge(results)

    assert (judged, reasons[0]) == (verdict, first)


def test_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 1001)]

    assert neighbour.percentile(values, 0.99) == 990
    assert neighbour.percentile(values, 0.5) == 500
    assert neighbour.percentile([7.0], 0.99) == 7
    assert neighbour.percentile([], 0.99) == 0


async def test_one_way_to_serve_tenants_is_measured() -> None:
    way = tenants.ways(4)[0]

    result = await tenants.measure(way, 4, timeout_seconds=30)

    assert (result.queues, result.deployed, result.problem) == (4, 4, "")
    assert result.ready_seconds is not None
    assert 50 < result.worker_mb < 500


async def test_one_case_of_neighbours_is_measured() -> None:
    result = await neighbour.measure(Case(Strategy.SHARED_QUEUE, True, "flood"), is_quick=True)

    # Four seconds of twelve steps per second, of which none was lost sight of.
    assert (result.samples, result.refused) == (48, 0)
    assert 0 < result.p50_ms <= result.p99_ms < 60_000


def test_bad_options_are_one_line() -> None:
    command = [sys.executable, "-m", "worker.bench", "tenants", "--queues", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (2, "--queues: 0 must be at least 1\n")
