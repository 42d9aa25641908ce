"""How a process of this package ends."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with this exit code, without taking the interpreter down first.

    The SDK's core runs threads of its own that call into Python. One that does so while the interpreter is
    being finalised aborts the process ("PyGILState_Release: thread state must be current"), and a command
    that has succeeded would end with SIGABRT. Seen on a busy machine in one of some hundred runs.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
