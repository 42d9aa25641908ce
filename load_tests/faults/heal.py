"""Undo what a run that has ended left behind: `python -m load_tests.faults.heal FOLDER [--json]`.

Exit codes: 0 nothing is left, 2 something is, and the message says what and why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from load_tests.errors import LoadTestError
from load_tests.faults.journal import HEAL_SECONDS, Journal


def heal_all(folder: Path, seconds: float = HEAL_SECONDS) -> tuple[list[str], list[str]]:
    """Undo every fault of the journal in `folder` that is left; returns what was healed, and what went wrong."""
    journal = Journal(folder)
    healed: list[str] = []
    problems: list[str] = []
    for entry in journal.pending():
        try:
            journal.heal(entry.id, seconds)
        except LoadTestError as error:
            problems.append(f"{entry.fault}: {error}")
        else:
            healed.append(entry.fault)
    return healed, problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m load_tests.faults.heal", description="Undo the faults that a run has left."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the run")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(arguments)
    folder: Path = args.folder
    if not folder.is_dir():
        print(f"heal: {str(folder)!r} is not a folder of a run", file=sys.stderr)
        return 2
    healed, problems = heal_all(folder)
    if args.json:
        print(json.dumps({"healed": healed, "problems": problems}))
    else:
        print(f"healed: {', '.join(healed) or 'nothing was left'}")
    for problem in problems:
        print(f"heal: {problem}", file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
