"""What can go wrong, each with a message of one line."""

from __future__ import annotations


class WatcherError(Exception):
    """The watcher cannot start; the message names the setting, its value and what would be right."""


class ApiError(Exception):
    """The API server refused, or could not be reached.

    Attributes:
        status: HTTP status; 0 where there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
