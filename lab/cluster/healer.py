"""The process of one pending heal; see `healers`. Arguments: state folder, seconds, words of the fault, record."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

from lab.cluster import fault, faults
from lab.cluster.state import State
from lab.errors import LabError


def main(root: str, seconds: str, *rest: str) -> int:
    """Wait, then for the lab's lock, then undo the fault unless the heal was called off; 0 where that is done."""
    *words, record = rest
    wanted = fault.parse(words)
    time.sleep(float(seconds))
    state = State(Path(root))
    _say(f"{wanted}: heal after {float(seconds):g} s")
    try:
        with state.lock(is_waiting=True):
            if not Path(record).exists():
                _say(f"{wanted}: called off")
                return 0
            faults.undo(state, wanted)
    except (LabError, OSError) as error:
        _say(f"{wanted}: {error}")
        return 2
    _say(f"{wanted}: healed")
    return 0


def _say(text: str) -> None:
    print(f"{dt.datetime.now(dt.UTC).isoformat(timespec='seconds')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
