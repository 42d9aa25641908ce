"""Plain JSON values: access, unknowns, quantities, differences, projection. Nothing here does I/O.

Quantities follow https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Object: TypeAlias = dict[str, Json]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How Pulumi spells a value not known in preview. Source: pulumi.runtime.rpc.UNKNOWN, 3.272.0."""


def at(value: Json, *path: str) -> Json:
    """Return the value below `path`, or None where any step is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def section(value: Json, *path: str) -> Object:
    """Return the object below `path`, empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def items(value: Json, *path: str) -> list[Object]:
    """Return the objects of the list below `path`, empty where there is none."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(value: Json, *path: str) -> str:
    """Return the text below `path`, empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Json, *path: str, default: int = 0) -> int:
    """Return the whole number below `path`, or `default`."""
    found = at(value, *path)
    return int(found) if isinstance(found, int | float) else default


def has_unknown(value: Json) -> bool:
    """Tell whether a value not known in preview is anywhere inside."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value == UNKNOWN


def without_nulls(value: Json) -> Json:
    """Drop null members: `None` in a program means absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


SUFFIXES = {
    "": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def quantity(value: Json) -> Decimal | None:
    """Return the amount a Kubernetes quantity stands for, or None if `value` is not one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = re.fullmatch(
        r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)", str(value)
    )
    if not match:
        return None
    amount, exponent, suffix = Decimal(match[1]), match[2], match[3] or ""
    if suffix in BINARY_SUFFIXES:
        return amount * 2 ** BINARY_SUFFIXES[suffix]
    return amount.scaleb(int(exponent) if exponent else SUFFIXES[suffix])


def same(wanted: Json, live: Json) -> bool:
    """Tell whether the API server would consider both values equal: `0.5` and `500m` are."""
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    amount = quantity(wanted)
    return amount is not None and amount == quantity(live)


class Change(Enum):
    """What happened to one property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


def join(base: str, key: str | int) -> str:
    """Append a step to a property path as Pulumi spells them: `spec.ports[0]["a/b"]`."""
    if isinstance(key, int):
        return f"{base}[{key}]"
    if re.fullmatch(r"[A-Za-z_$][\w$]*", key):
        return f"{base}.{key}" if base else key
    return f'{base}["{key}"]'


def differences(old: Json, new: Json, path: str = "") -> dict[str, Change]:
    """Return every property path at which two values differ, down to the leaves."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [
            (join(path, key), key in old, key in new, old.get(key), new.get(key))
            for key in sorted({*old, *new})
        ]
    elif isinstance(old, list) and isinstance(new, list):
        pairs = [
            (
                join(path, i),
                i < len(old),
                i < len(new),
                old[i] if i < len(old) else None,
                new[i] if i < len(new) else None,
            )
            for i in range(max(len(old), len(new)))
        ]
    else:
        return {} if old == new and isinstance(old, bool) == isinstance(new, bool) else {path: Change.UPDATE}
    found: dict[str, Change] = {}
    for where, is_old, is_new, before, after in pairs:
        if is_old and is_new:
            found |= differences(before, after, where)
        else:
            found[where] = Change.ADD if is_new else Change.DELETE
    return found


def project(wanted: Json, live: Json) -> Json:
    """Return the live values of exactly the fields that were asked for.

    Refresh shows drift with this: fields the API server or a controller added are no drift; a field that was asked
    for and is different or gone is.

    Args:
        wanted: the inputs of the last update.
        live: the object as it is now.
    """
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {
            key: project(item, live.get(key))
            for key, item in wanted.items()
            if key in live or is_nothing(item)
        }
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [project(item, live[i]) for i, item in enumerate(wanted)]
    return wanted if live is None or same(wanted, live) else live


def is_nothing(value: Json) -> bool:
    """Tell whether the API server may leave the value out, because it says nothing: `{}`, `[]`, `false`, `0`, empty text."""
    return value in ({}, [], "", False, None) or (value == 0)
