"""What several tests of the lab's machines share."""

import time


def wait_until(condition):
    """Wait for what a real process does by itself, and fail when it has not for long."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
