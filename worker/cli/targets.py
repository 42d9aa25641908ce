"""The routers of a rollout, from a file: CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from worker.cli.requests import read_text
from worker.errors import UsageError
from worker.models.rollout import RolloutTarget

_KEYS = ("router", "site", "variables")


def read_targets(path: Path, variables: Mapping[str, str]) -> tuple[RolloutTarget, ...]:
    """Return the file's routers; a variable of the file wins over one for all.

    Args:
        path: `.json`: a list of objects; anything else: CSV with a heading.
        variables: For all routers.

    Raises:
        UsageError: When the file cannot be read or used; one line that names the row.
    """
    text = read_text("--targets", path)
    targets = _from_json(path, text) if path.suffix == ".json" else _from_csv(path, text)
    if not targets:
        raise UsageError(f"--targets: {path}: has no router")
    return tuple(
        RolloutTarget(target.router, target.site, {**variables, **target.variables}) for target in targets
    )


def _from_csv(path: Path, text: str) -> list[RolloutTarget]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    headings = list(reader.fieldnames or ())
    if "router" not in headings:
        raise UsageError(f"--targets: {path}: columns {', '.join(headings) or 'none'} lack `router`")
    if len(set(headings)) != len(headings):
        raise UsageError(f"--targets: {path}: a column of {', '.join(headings)} comes twice")
    targets: list[RolloutTarget] = []
    try:
        for row in reader:
            values = cast("dict[str | None, str | None]", row)
            if None in values or None in values.values():
                raise UsageError(
                    f"--targets: {path}: line {reader.line_num}: must have {len(headings)} columns"
                )
            texts = cast("dict[str, str]", values)
            others = {name: value for name, value in texts.items() if name not in {"router", "site"}}
            targets.append(RolloutTarget(texts["router"], texts.get("site", ""), others))
    except csv.Error as error:
        raise UsageError(f"--targets: {path}: line {reader.line_num + 1}: {error}") from error
    return targets


def _from_json(path: Path, text: str) -> list[RolloutTarget]:
    try:
        items: object = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--targets: {path}: is not JSON: {error}") from error
    if not isinstance(items, list):
        raise UsageError(f"--targets: {path}: must be a list of objects with router, site and variables")
    return [
        _from_object(f"--targets: {path}: router {number}", item)
        for number, item in enumerate(cast("list[object]", items), start=1)
    ]


def _from_object(where: str, item: object) -> RolloutTarget:
    if not isinstance(item, dict):
        raise UsageError(f"{where}: {item!r} must be an object with router, site and variables")
    values = cast("dict[str, Any]", item)
    for key in values:
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}; known keys: {', '.join(_KEYS)}")
    for key, default in (("router", None), ("site", "")):
        if not isinstance(values.get(key, default), str):
            raise UsageError(f"{where}: {key}: {values.get(key)!r} must be text")
    variables = values.get("variables", {})
    if not isinstance(variables, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, object]", variables).values()
    ):
        raise UsageError(f"{where}: variables: {variables!r} must be an object of texts")
    return RolloutTarget(values["router"], values.get("site", ""), cast("dict[str, str]", variables))
