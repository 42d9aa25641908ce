"""Pure: running and desired configuration to commands."""

from __future__ import annotations

from collections.abc import Sequence


def plan(running: Sequence[str], desired: Sequence[str]) -> tuple[str, ...]:
    """Return the commands that lead from one configuration to the other.

    Removals come first, in the order in which the lines stand, because a router refuses a second value of
    what can be set only once. Lines common to both are left alone.
    """
    kept = set(desired)
    present = set(running)
    removals = tuple(f"no {line}" for line in dict.fromkeys(running) if line not in kept)
    additions = tuple(line for line in dict.fromkeys(desired) if line not in present)
    return removals + additions
