"""The command line `routers`.

`commands` says what the terminal sees, one module per command, and imports nothing heavy, so that `--help`
and completion answer at once; `actions` does it, on Temporal. `errors` is the one place where an exception
becomes a line and an exit code (`exits`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code, or end the process with it when it was given no arguments."""
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        from worker.leaving import leave

        leave(code)
    return code


def _run(arguments: list[str]) -> int:
    from worker.cli.app import app

    try:
        code = app(args=arguments, prog_name="routers", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place that turns any of them into a line
        from worker.cli.errors import report

        code = report(error, is_json="--json" in arguments)
        sys.stdout.flush()
    return int(code or 0)
