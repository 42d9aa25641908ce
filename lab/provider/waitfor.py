"""The `pulumi.com/waitFor` annotation: `condition=Type[=Status]`, `jsonpath={.path}[=value]`, or a JSON list of them.

All expressions of a list must hold. Source: provider/pkg/metadata/overrides.go and provider/pkg/jsonpath of
pulumi/pulumi-kubernetes, v4. Of JSONPath, member steps, list indices and `[*]` are understood; filters, ranges and
recursive descent are refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lab.provider.values import Json, Object, at, items, same, text

STEP = re.compile(
    r"\.(?P<name>(?:[\w-]|\\\.)+)|\[(?P<index>\d+|\*)\]|\['(?P<quoted>[^']+)'\]|\[\"(?P<double>[^\"]+)\"\]"
)


@dataclass(frozen=True)
class Condition:
    """A `status.conditions` entry that must have a status."""

    type: str
    status: str

    def missing(self, obj: Object) -> str:
        """Return what is not so yet, empty when the condition holds. Types and states are compared as kubectl does."""
        for entry in items(obj, "status", "conditions"):
            if text(entry, "type").lower() != self.type.lower():
                continue
            seen = at(entry, "observedGeneration")
            if isinstance(seen, int) and seen < (generation(obj) or 0):
                return f"condition {self.type} is about an older generation"
            if text(entry, "status").lower() == self.status.lower():
                return ""
            why = ": ".join(part for part in (text(entry, "reason"), text(entry, "message")) if part)
            return f"condition {self.type} is {text(entry, 'status')}, not {self.status}" + (
                f" ({why})" if why else ""
            )
        return f"condition {self.type} is not there yet"


@dataclass(frozen=True)
class Path:
    """A field that must have a value, or be there at all if no value is named."""

    path: str
    steps: tuple[str | int, ...]
    value: str | None

    def missing(self, obj: Object) -> str:
        """Return what is not so yet, empty when it is."""
        found = walk([obj], self.steps)
        if not found:
            return f"{self.path} is not there yet"
        if self.value is None or all(
            spelled(value) == self.value or same(value, self.value) for value in found
        ):
            return ""
        return f"{self.path} is {spelled(found[0])!r}, not {self.value!r}"


Expression = Condition | Path


def generation(obj: Object) -> int | None:
    """Return the generation of an object's specification, where it has one."""
    found = at(obj, "metadata", "generation")
    return found if isinstance(found, int) else None


def spelled(value: Json) -> str:
    """Return a value as JSONPath output shows it."""
    return value if isinstance(value, str) else json.dumps(value)


def walk(values: list[Json], steps: tuple[str | int, ...]) -> list[Json]:
    """Return the values below a path; `*` is every member of a list."""
    for step in steps:
        found: list[Json] = []
        for value in values:
            found += step_into(value, step)
        values = found
    return [value for value in values if value is not None]


def step_into(value: Json, step: str | int) -> list[Json]:
    """Return the values one step below."""
    if isinstance(value, list):
        if step == "*":
            return value
        return [value[step]] if isinstance(step, int) and step < len(value) else []
    return [value[step]] if isinstance(value, dict) and isinstance(step, str) and step in value else []


def parse(annotation: str) -> tuple[Expression, ...]:
    """Return the expressions of an annotation.

    Raises:
        ValueError: an expression is not understood; the message names it and the right form.
    """
    try:
        listed: object = json.loads(annotation)
    except ValueError:
        listed = [annotation]
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"is {annotation!r}: must be an expression or a JSON list of at least one")
    return tuple(expression(str(entry)) for entry in listed)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- json.loads is untyped


def expression(spelling: str) -> Expression:
    """Return one expression.

    Raises:
        ValueError: it is not understood.
    """
    form, _, rest = spelling.partition("=")
    if form == "condition":
        kind, _, status = rest.partition("=")
        if kind:
            return Condition(kind, status or "True")
    if form == "jsonpath":
        match = re.fullmatch(r"(?P<path>\{[^{}]*\}|\.?[^={}]+)(?:={1,2}(?P<value>.*))?", rest, re.DOTALL)
        if match and (steps := path_steps(match["path"].strip("{}"))):
            value = match["value"]
            return Path(match["path"], steps, None if value is None else value.strip("\"'"))
    raise ValueError(f"has {spelling!r}: must be condition=Type[=Status] or jsonpath={{.path}}[=value]")


def path_steps(path: str) -> tuple[str | int, ...]:
    """Return the steps of a JSONPath, empty if it has one that is not understood."""
    rest = path.removeprefix("$")
    rest = rest if rest.startswith((".", "[")) else f".{rest}"
    steps: list[str | int] = []
    while rest:
        match = STEP.match(rest)
        if not match:
            return ()
        if match["index"]:
            steps.append("*" if match["index"] == "*" else int(match["index"]))
        else:
            steps.append((match["name"] or match["quoted"] or match["double"]).replace("\\.", "."))
        rest = rest[match.end() :]
    return tuple(steps)
