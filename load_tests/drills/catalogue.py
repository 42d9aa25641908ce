"""All drills by name, as a stack wants them."""

from __future__ import annotations

from pathlib import Path

from load_tests.drills.drill import Drill
from load_tests.drills.loading import Values, check_changes, parse, read
from load_tests.errors import LoadTestError

DEFINITIONS = Path(__file__).parent / "definitions"
ROOT = Path(__file__).resolve().parents[2]
"""Of the checkout."""
RELEASE_MAX = 9
"""Drills of the release set: with four minutes each it stays below forty."""


def names(definitions: Path = DEFINITIONS) -> list[str]:
    """Return the names of all drills, sorted."""
    return sorted(path.stem for path in definitions.glob("*.toml"))


def load_all(stack: str, definitions: Path = DEFINITIONS, root: Path = ROOT) -> dict[str, Drill]:
    """Return every drill by its name, with the stack's own numbers.

    Raises:
        LoadTestError: When a file cannot be used.
    """
    changes_file = root / "stacks" / f"drills.{stack}.toml"
    changes: Values = read(changes_file) if changes_file.is_file() else {}
    known = names(definitions)
    check_changes(changes_file.name, changes, known)
    found = {name: parse(name, read(definitions / f"{name}.toml"), changes) for name in known}
    if sum(drill.is_release for drill in found.values()) > RELEASE_MAX:
        raise LoadTestError(f"drills: more than {RELEASE_MAX} have is_release = true")
    return found


def find(name: str, drills: dict[str, Drill]) -> Drill:
    """Return a drill by its name.

    Raises:
        LoadTestError: When there is none.
    """
    if name not in drills:
        raise LoadTestError(f"drill {name!r} must be one of {', '.join(drills)}")
    return drills[name]
