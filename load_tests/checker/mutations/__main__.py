"""`python -m load_tests.checker.mutations [--json]`: plant every bug and print which invariant caught it.

Exit codes: 0 each bug was caught by exactly its invariant and the clean run by none, 1 not so, 2 bad input.
Needs no cluster: it brings a dev server along. Takes about a quarter of a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys

from rich.console import Console

from load_tests.checker.mutations.score import Caught, score, table
from worker.demo.embedded import EmbeddedError
from worker.errors import UsageError
from worker.leaving import leave

EXIT_BROKEN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main() -> int:
    """Return the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m load_tests.checker.mutations", description="Plant bugs, and see that each is caught."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    # A bug makes workers complain; the table says what matters.
    logging.getLogger("temporalio").addHandler(logging.NullHandler())
    try:
        caught = asyncio.run(score())
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    _show(caught, is_json=options.json)
    return 0 if all(one.is_right for one in caught) else EXIT_BROKEN


def _show(caught: list[Caught], *, is_json: bool) -> None:
    planted = [one for one in caught if one.bug.caught_by]
    right = sum(one.is_right for one in planted)
    if is_json:
        values = {"planted": len(planted), "caught": right, "bugs": [one.to_dict() for one in caught]}
        sys.stdout.write(f"{json.dumps(values)}\n")
        return
    console = Console()
    console.print(table(caught))
    for one in caught:
        if not one.is_right:
            for line in (*one.report.findings, *one.report.unread):
                console.print(f"{one.bug.name}: {line}", markup=False, highlight=False)
    console.print(f"{right} of {len(planted)} planted bugs caught by exactly their invariant")


if __name__ == "__main__":
    leave(main())
