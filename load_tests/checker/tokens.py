"""Tokens: what a signal or an update carries so that it is known again.

A workflow that is sent messages returns `{"tokens": [...]}`, every token in the order in which it handled them,
over all its runs. A message's argument is its token, or an object whose field `token` is.

A token is `SENDER:NUMBER`, or only `NUMBER` where there is one sender; numbers count up from 1.
"""

from __future__ import annotations

from typing import cast

FIELD = "tokens"
"""Of the result."""


def token(sender: str, number: int) -> str:
    """Return a sender's token."""
    return f"{sender}:{number}" if sender else str(number)


def sender_of(text: str) -> str:
    """Return whose token it is; empty where there is one sender."""
    return text.rpartition(":")[0]


def token_of(argument: object) -> str | None:
    """Return the token that a message's argument carries; None: it carries none."""
    if isinstance(argument, dict):
        argument = cast("dict[str, object]", argument).get("token")
    if isinstance(argument, bool) or not isinstance(argument, str | int):
        return None
    return str(argument)


def handled(result: object) -> list[str] | None:
    """Return the tokens that a workflow's result lists, in order; None: it lists none."""
    if not isinstance(result, dict):
        return None
    tokens = cast("dict[str, object]", result).get(FIELD)
    if not isinstance(tokens, list):
        return None
    return [token_of(item) or repr(item) for item in cast("list[object]", tokens)]
