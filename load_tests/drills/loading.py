"""From a drill's file to a checked drill. Pure but for reading files.

A drill's file is TOML: `summary`, `scenario`, `is_release`, and the tables `fault`, `load`, `phases`, `gates`, `goals`
with the fields of `drill`. What is left out has its default. A stack changes numbers in `stacks/drills.STACK.toml`:
tables `all` and NAME (of a drill), each with any of `load`, `phases`, `gates`, `goals`; NAME's count more than `all`'s.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from load_tests.arrivals import parse_shape
from load_tests.drills.drill import GATES, GOALS, RECOVERED_SECONDS, Drill, FaultSpec, Limits, Load, Phases
from load_tests.drills.places import check_selectors
from load_tests.errors import LoadTestError
from load_tests.faults import catalogue
from load_tests.scenarios.catalog import find
from load_tests.scenarios.scenario import parse_options

ALL = "all"
_TABLES = ("load", "phases", "gates", "goals")
_STEADY_MIN_SECONDS = 5.0

_T = TypeVar("_T")
Values = Mapping[str, Any]


def read(path: Path) -> Values:
    """Return what a TOML file holds.

    Raises:
        LoadTestError: When it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadTestError(f"{path.name}: cannot be read: {error}") from error


def parse(name: str, values: Values, changes: Values | None = None) -> Drill:
    """Return the drill that a file's values are.

    Args:
        name: Of the drill; the file's, without its ending.
        values: Of the file.
        changes: Of the stack's file; None: it has none.

    Raises:
        LoadTestError: When a key is unknown or missing, or a value cannot be used.
    """
    _check_keys(name, values, ("summary", "scenario", "is_release", "fault", *_TABLES))
    merged = _changed(name, values, changes or {})
    for key in ("summary", "scenario", "fault"):
        if key not in merged:
            raise LoadTestError(f"drill {name}: it lacks {key!r}")
    drill = Drill(
        name=name,
        summary=_text(name, "summary", merged["summary"]),
        scenario=_text(name, "scenario", merged["scenario"]),
        fault=_fault(name, merged["fault"]),
        load=_read(name, "load", Load(), merged),
        phases=_read(name, "phases", Phases(), merged),
        gates=_read(name, "gates", GATES, merged),
        goals=_read(name, "goals", GOALS, merged),
        is_release=merged.get("is_release", False) is True,
    )
    _check(drill)
    return drill


def check_changes(file: str, changes: Values, names: list[str]) -> None:
    """Check the names of a stack's tables; their content is checked with the drill that they change.

    Raises:
        LoadTestError: When a table is neither a drill's nor `all`.
    """
    for key, tables in changes.items():
        if key != ALL and key not in names:
            raise LoadTestError(
                f"{file}: {key!r} must be {ALL!r} or a drill; python -m load_tests drills lists them"
            )
        if not isinstance(tables, dict):
            raise LoadTestError(f"{file}: {key} must be a table of {', '.join(_TABLES)}")
        _check_keys(f"{file}: {key}", cast("Values", tables), _TABLES)


def _changed(name: str, values: Values, changes: Values) -> dict[str, Any]:
    merged = dict(values)
    for table in _TABLES:
        parts = [values.get(table, {}), *(changes.get(key, {}).get(table, {}) for key in (ALL, name))]
        if not all(isinstance(part, dict) for part in parts):
            raise LoadTestError(f"drill {name}: {table} must be a table")
        merged[table] = {key: value for part in parts for key, value in part.items()}
    return merged


def _check_keys(where: str, values: Values, known: tuple[str, ...]) -> None:
    if unknown := sorted(values.keys() - set(known)):
        prefix = where if ":" in where else f"drill {where}"
        raise LoadTestError(f"{prefix}: {unknown[0]!r} is not known; it takes {', '.join(known)}")


def _text(name: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise LoadTestError(f"drill {name}: {key}={value!r} must be a text")
    return value


def _fault(name: str, values: object) -> FaultSpec:
    if not isinstance(values, dict):
        raise LoadTestError(f"drill {name}: fault must be a table with name and parameters")
    table = cast("dict[str, Any]", values)
    _check_keys(f"drill {name}: fault", table, ("name", "parameters"))
    given: object = table.get("parameters", {})
    if not isinstance(given, dict):
        raise LoadTestError(f"drill {name}: fault.parameters must be a table")
    parameters = {
        key: _text(name, f"fault.parameters.{key}", value)
        for key, value in cast("dict[str, object]", given).items()
    }
    return FaultSpec(_text(name, "fault.name", table.get("name")), parameters)


def _read(name: str, table: str, default: _T, merged: Values) -> _T:
    """Return a dataclass of numbers and texts with what the table says otherwise."""
    known = {field.name: getattr(default, field.name) for field in fields(cast("Any", default))}
    values: dict[str, Any] = merged[table]
    _check_keys(f"drill {name}: {table}", values, tuple(known))
    for key, value in values.items():
        known[key] = _value(f"drill {name}: {table}.{key}", known[key], value)
    return type(default)(**known)


def _value(where: str, default: object, value: object) -> object:
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        raise LoadTestError(f"{where}={value!r} must be a text")
    if isinstance(default, tuple):
        texts = cast("list[object]", value) if isinstance(value, list) else None
        if texts is None or not all(isinstance(text, str) for text in texts):
            raise LoadTestError(f"{where}={value!r} must be a list of KEY=NUMBER")
        return tuple(texts)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(cast("float", value)) < math.inf:
        raise LoadTestError(f"{where}={value!r} must be a number, 0 or more")
    return float(cast("float", value))


def _check(drill: Drill) -> None:
    where = f"drill {drill.name}"
    try:
        parse_options(drill.scenario, find(drill.scenario).defaults, drill.load.options)
        parse_shape(drill.load.shape)
        catalogue.check(drill.fault.name, drill.fault.parameters)
        check_selectors(drill.fault.parameters)
    except LoadTestError as error:
        raise LoadTestError(f"{where}: {error}") from error
    rules = (
        ("load.rate", drill.load.rate, drill.load.rate > 0, "above 0"),
        ("load.probe_rate", drill.load.probe_rate, drill.load.probe_rate > 0, "above 0"),
        ("load.result_seconds", drill.load.result_seconds, drill.load.result_seconds > 0, "above 0"),
        (
            "phases.steady_seconds", drill.phases.steady_seconds,
            drill.phases.steady_seconds >= _STEADY_MIN_SECONDS, f"at least {_STEADY_MIN_SECONDS:g}",
        ),
        ("phases.fault_seconds", drill.phases.fault_seconds, drill.phases.fault_seconds > 0, "above 0"),
        (
            "phases.recovery_seconds", drill.phases.recovery_seconds,
            drill.phases.recovery_seconds > RECOVERED_SECONDS, f"above {RECOVERED_SECONDS:g}",
        ),
    )  # fmt: skip
    for key, value, is_good, rule in rules:
        if not is_good:
            raise LoadTestError(f"{where}: {key}={value:g} must be {rule}")
    _check_limits(where, drill.gates, drill.goals)


def _check_limits(where: str, gates: Limits, goals: Limits) -> None:
    for item in fields(Limits):
        gate, goal = getattr(gates, item.name), getattr(goals, item.name)
        if gate is not None and goal is not None and goal > gate:
            raise LoadTestError(
                f"{where}: goals.{item.name}={goal:g} must be at most the gate, which is {gate:g}"
            )
