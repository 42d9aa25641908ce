"""The one error type of the lab: a single line that a person can act on.

Raised wherever the lab cannot go on for a reason the user can mend. The command line prints the
message alone and exits with 2, as it does for errors of the operating system and of commands it ran; any
other exception is a defect of ours and keeps its stack trace.
"""

from __future__ import annotations


class LabError(Exception):
    """A one-line message naming what is wrong, its value, and what would be right."""
