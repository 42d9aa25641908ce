"""How a process of this package ends."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with this exit code, without taking the interpreter down first.

    The SDK's core runs threads of its own that call into Python. One that does so while the interpreter is
    being finalised aborts the process ("PyGILState_Release: thread state must be current"), so that a
    command that has succeeded ends with SIGABRT, or hangs for ever when a call was cut off by Ctrl-C. Both
    were seen on a busy machine (temporalio 1.35, Python 3.11), the second in at least 4 of about 20 runs.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
