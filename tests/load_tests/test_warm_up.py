"""What of a run is left out of its steady state."""

import pytest

from load_tests.generator.crew import warm_up_seconds


@pytest.mark.parametrize(("seconds", "warm_up"), [(60, 6), (200, 20), (785, 20), (0, 0)])
def test_a_tenth_warms_up_but_no_more_than_a_steady_phase_has(seconds, warm_up):
    assert warm_up_seconds(seconds) == pytest.approx(warm_up)
