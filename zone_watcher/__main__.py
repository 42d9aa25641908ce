"""`python3 -m zone_watcher`: one watcher, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from zone_watcher.errors import WatcherError
from zone_watcher.logs import configure_logging
from zone_watcher.settings import from_environment
from zone_watcher.watcher import Watcher


def main() -> int:
    """Watch; 1 when it could not go on, 2 when a setting is wrong or the port is taken."""
    configure_logging()
    try:
        watcher = Watcher(from_environment(os.environ))
    except (WatcherError, OSError) as error:
        print(f"zone_watcher: {error}", file=sys.stderr)
        return 2

    def stop(_number: int, _frame: FrameType | None) -> None:
        watcher.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return 0 if watcher.run() else 1


if __name__ == "__main__":
    sys.exit(main())
