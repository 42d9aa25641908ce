"""A run that its generator could not keep up with is INVALID, and says why."""

import pytest

from load_tests.generator.processor import Idleness, mean_idle, parse_stat
from load_tests.generator.self_check import Quality, quality_of
from load_tests.histograms import Latencies

GOOD = Quality(planned=1000, dispatched=1000, schedule_p99_seconds=0.002, idle=0.5, generator_processors=0.1)


def quality(**changes):
    return Quality(**{**{name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}, **changes})


@pytest.mark.parametrize(
    ("changes", "complaints"),
    [
        ({}, []),
        ({"schedule_p99_seconds": 0.010, "idle": 0.30, "dispatched": 990}, []),
        ({"idle": None}, []),
        (
            {"schedule_p99_seconds": 0.0123},
            ["operations were sent 12.3 ms late (p99), at most 10 ms are allowed"],
        ),
        ({"dispatched": 989}, ["989 of 1000 operations were offered, at most 1% off is allowed"]),
        ({"idle": 0.29}, ["the machine was 29% idle, at least 30% are needed"]),
        ({"schedule_p99_seconds": None}, ["nothing was sent"]),
        ({"problems": ("KeyError('x')",)}, ["the generator itself failed: KeyError('x')"]),
    ],
)
def test_complaints(changes, complaints):
    assert quality(**changes).complaints() == complaints


def test_idle_time_is_that_of_the_steady_state():
    samples = [Idleness(1.0, 0.9), Idleness(2.0, 0.5), Idleness(3.0, 0.3), Idleness(4.0, 0.0)]
    assert mean_idle(samples, 1.0, 3.0) == pytest.approx(0.4)
    assert mean_idle(samples, 5.0, 6.0) is None
    assert quality_of(10, 10, Latencies([0.001]), samples, (1.0, 3.0), 0.1).idle == pytest.approx(0.4)


def test_the_kernels_figures():
    assert parse_stat("cpu  10 20 30 400 50 6 7 8 9 10\ncpu0 1 2 3\n") == (450, 531)
