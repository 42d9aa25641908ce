"""Exceptions in logs without their messages: a router's refusal may quote the line that it refuses.

The SDK logs every failure of a step with its message. Where payloads are encrypted, what they hold has no
place in a log either; types and places remain, and the message is in the workflow's history, encrypted.
"""

from __future__ import annotations

import traceback
from types import TracebackType

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def format_without_messages(info: ExceptionInfo) -> str:
    """Return the frames and the types of an exception and of what it came from, first cause first."""
    _, error, _ = info
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = getattr(error, "type", None)
        name = type(error).__name__ + (f" of type {kind}" if isinstance(kind, str) else "")
        parts.append("".join(traceback.format_tb(error.__traceback__)) + f"{name}: message not logged")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(reversed(parts))
