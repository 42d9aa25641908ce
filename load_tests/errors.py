"""What goes wrong in one line."""

from __future__ import annotations


class LoadTestError(Exception):
    """Something that the user can mend; the message is one line that names it."""
