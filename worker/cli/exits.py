"""The exit codes of `routers`: what a script may rely on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit code of the command line."""

    GOOD = 0
    FAILED = 1
    """Temporal cannot be reached or refuses, nobody serves the queue, or somebody else is at the router."""
    USAGE = 2
    """Bad input; nothing was touched."""
    NOT_DEPLOYED = 3
    """Ended refused, rolled back or cancelled: the router runs what it ran before."""
    LOOK = 4
    """The router's state is not known to be good: a person must look."""
    PARTLY = 5
    """A rollout ended and not every router was deployed."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM; what was started goes on."""


EPILOG = (
    "Exit codes: 0 good; 1 failed, or Temporal cannot be reached; 2 bad input; 3 ended refused, rolled back or"
    " cancelled; 4 roll-back failed, a person must look; 5 rollout partly failed; 130 interrupted."
)
