"""How a value that cannot be used is refused: one line that names the key, the value and the rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

_Member = TypeVar("_Member", bound=StrEnum)


class TenancyError(ValueError):
    """A tenant record or file is wrong; the message is one line for people."""


def whole(key: str, value: object, least: int, most: int, of: str = "") -> None:
    """Refuse what is not a whole number of the range.

    Raises:
        TenancyError: For any other value; a bool too, since JSON's `true` must not mean one.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise TenancyError(f"{key}: {value!r} must be a whole number{of} from {least} to {most}")


def number(key: str, value: object, least: float, most: float) -> float:
    """Return a number of the range as a float.

    Raises:
        TenancyError: For any other value.
    """
    # NaN compares as false, so it is refused too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise TenancyError(f"{key}: {value!r} must be a number from {least:g} to {most:g}")
    return float(value)


def member(key: str, value: object, kind: type[_Member]) -> _Member:
    """Return the member of an enumeration that a text names.

    Raises:
        TenancyError: When it names none.
    """
    # Not `kind(value)` in a try: a list is unhashable, which is another exception.
    for choice in kind:
        if value == choice:
            return choice
    raise TenancyError(f"{key}: {value!r} is not one of {', '.join(kind)}")


def refuse_unknown(where: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse a key that is not known.

    Raises:
        TenancyError: For the first such key.
    """
    names = tuple(known)
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise TenancyError(f"{where}: unknown key {unknown[0]!r}; known keys: {', '.join(names)}")


def refuse_repeated(where: str, names: list[str]) -> None:
    """Refuse a name that stands in the list twice.

    Raises:
        TenancyError: For the first such name.
    """
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise TenancyError(f"{where}: {repeated[0]!r} is listed twice; names must be unique")


def text(where: str, value: object) -> str:
    """Return a text.

    Raises:
        TenancyError: For anything else.
    """
    if not isinstance(value, str):
        raise TenancyError(f"{where} {value!r} must be text")
    return value


def records(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the list of objects under a key.

    Raises:
        TenancyError: When it is anything else.
    """
    found = values.get(key)
    if not isinstance(found, list):
        raise TenancyError(f"{key}: {found!r} must be a list")
    for record in cast("list[object]", found):
        if not isinstance(record, dict):
            raise TenancyError(f"{key}: {record!r} must be an object with a name")
    return cast("list[dict[str, Any]]", found)
