"""The process of one pending heal; see `healers`. Arguments: state folder, zone, seconds, record."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

from lab.cluster import faults
from lab.cluster.layout import node_in
from lab.cluster.state import State
from lab.errors import LabError


def main(root: str, zone: str, seconds: str, record: str) -> int:
    """Wait, then for the lab's lock, then power the zone on unless the heal was called off; 0 where that is done."""
    time.sleep(float(seconds))
    state = State(Path(root))
    _say(f"{zone}: power on after {float(seconds):g} s")
    try:
        with state.lock(is_waiting=True):
            if not Path(record).exists():
                _say(f"{zone}: called off")
                return 0
            faults.power_on(state, node_in(zone))
    except (LabError, OSError) as error:
        _say(f"{zone}: {error}")
        return 2
    _say(f"{zone}: on and Ready")
    return 0


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
