"""The table at the end of a series, and the exit code of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from worker.bench.support.verdict import Verdict

COLUMNS = (
    "drill",
    "verdict",
    "outage",
    "lost",
    "failed",
    "p99 after/before",
    "goals",
    "predicted / observed",
)
_WORST_FIRST = (Verdict.FAIL, Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.PASS)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of several verdicts; INCONCLUSIVE of none."""
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.INCONCLUSIVE)


def row_of(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of one result, as `results.read` gives it."""
    measures: Mapping[str, Any] = found["measures"] or {}
    violations: Mapping[str, int] = found["violations"]
    prediction = found["prediction"]
    return (
        found["drill"],
        found["verdict"],
        f"{measures['outage_seconds']:.1f} s" if measures else "",
        str(sum(violations.values())) if violations else "",
        str(measures["failed_operations"]) if measures else "",
        "" if measures.get("p99_ratio") is None else f"{measures['p99_ratio']:g}x",
        _goals(found["marks"]),
        prediction["text"] if prediction else "no prediction",
    )


def table_of(found: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of a series."""
    table = Table(
        *COLUMNS,
        caption="lost: everything that the checker found lost, duplicated, stuck, early or gone back",
    )
    colours = {Verdict.PASS: "green", Verdict.FAIL: "red"}
    for one in found:
        name, verdict, *rest = row_of(one)
        colour = colours.get(Verdict(verdict), "yellow")
        table.add_row(name, f"[{colour}]{verdict}[/]", *rest)
    return table


def _goals(marks: Sequence[Mapping[str, Any]]) -> str:
    wished = [mark for mark in marks if mark["goal"] is not None]
    reached = sum(mark["is_within_goal"] for mark in wished)
    return f"{reached} of {len(wished)}" if wished else ""
