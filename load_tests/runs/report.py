"""The page that people read: one self-contained HTML file, made from `run.json` and the operations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, cast

from load_tests import records
from load_tests.errors import LoadTestError
from load_tests.runs.plots import Line, Span, plot
from load_tests.runs.summary import Summary, summarise

FILE = "report.html"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 900px; padding: 0 1em; color: #1a202c; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin-top: 2em; }
.verdict { font-weight: bold; padding: .1em .5em; border-radius: 4px; color: white; background: #718096; }
.PASS { background: #2f855a; } .FAIL { background: #c53030; } .INVALID { background: #b7791f; }
table { border-collapse: collapse; margin: .5em 0; } td, th { padding: .15em .7em; text-align: right;
  border-bottom: 1px solid #e2e8f0; font-variant-numeric: tabular-nums; }
td:first-child, th:first-child { text-align: left; padding-left: 0; }
figure { margin: 1em 0; } figcaption { font-size: .9em; } svg { width: 100%; height: auto; }
svg text { font: 10px system-ui, sans-serif; fill: #4a5568; }
.frame { fill: #f7fafc; } .grid { stroke: #e2e8f0; } .line { fill: none; stroke-width: 1.5; }
.span { fill: #fed7d7; opacity: .7; }
"""


def write_report(folder: Path, spans: Sequence[Span] = ()) -> Path:
    """Make the page of a run from what its folder holds; return where it is.

    Args:
        folder: With `run.json` and `operations.jsonl`.
        spans: What is marked in the plots.

    Raises:
        LoadTestError: When the folder is not that of a run.
    """
    values = read_run(folder)
    summary = summarise(records.read_all(folder), values["summary"]["begin"], values["summary"]["seconds"])
    page = to_html(values, summary, spans)
    path = folder / FILE
    path.write_text(page, encoding="utf-8")
    return path


def read_run(folder: Path) -> dict[str, Any]:
    """Return what `run.json` holds.

    Raises:
        LoadTestError: When there is none that can be read.
    """
    try:
        return cast("dict[str, Any]", json.loads((folder / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LoadTestError(f"{folder}: has no run.json of a run that has ended ({error})") from error


def to_html(
    values: Mapping[str, Any],
    summary: Summary,
    spans: Sequence[Span] = (),
    title: str = "",
    more: Sequence[str] = (),
) -> str:
    """Return the page.

    Args:
        values: Of `run.json`.
        summary: Of its operations.
        spans: What is marked in the plots.
        title: Default: what was run.
        more: Sections, as HTML, before the plots.
    """
    settings, verdict = values["settings"], values["verdict"]
    title = (
        title
        or f"{settings['scenario']} on {settings['stack']}, {settings['rate']:g} per second for {settings['seconds']:g} s"
    )
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in values["reasons"])
    sections = [
        f'<h1>{escape(title)} <span class="verdict {verdict}">{verdict}</span></h1><ul>{reasons}</ul>',
        f"<p>Run {escape(values['name'])}, began {escape(values['began'])}, commit {escape(values['commit'] or 'unknown')}.</p>",
        *more,
        *_plots(values, summary, spans),
        "<h2>Outcomes</h2>" + _outcomes(summary),
        "<h2>Latencies of acknowledged operations, from when they were due</h2>" + _latencies(summary),
        "<h2>The measurement itself</h2>" + _quality(values["quality"]),
        "<h2>What the checker looked at</h2>" + _checker(values["checker"]),
        "<h2>Settings</h2>" + table(("setting", "value"), [(key, value) for key, value in settings.items()]),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(sections)}</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{heads}</tr>{lines}</table>"


def _plots(values: Mapping[str, Any], summary: Summary, spans: Sequence[Span]) -> list[str]:
    seconds = summary.seconds
    slowest = [
        Line(kind, [None if value is None else value * 1000 for value in found])
        for kind, found in sorted(summary.slowest.items())
    ]
    rates = [
        Line("due", [float(second.due) for second in summary.rates]),
        Line("acknowledged", [float(second.ok) for second in summary.rates]),
    ]
    zones = [Line(zone or "server", found) for zone, found in sorted(summary.availability.items())]
    idle = Line("idle", [share for _, share in values["idle"]], [at for at, _ in values["idle"]])
    return [
        plot("Slowest operation of each second, by when it was due", "ms", slowest, seconds, spans),
        plot("Users' operations by when they were due", "per second", rates, seconds, spans),
        plot("Probes acknowledged within a second", "share", zones, seconds, spans, top=1),
        plot("Idle processor time of the generator's machine", "share", [idle], seconds, spans, top=1),
    ]


def _outcomes(summary: Summary) -> str:
    rows = [
        (client, outcome, count)
        for client, counts in summary.outcomes.items()
        for outcome, count in sorted(counts.items())
    ]
    errors = [
        (client, f"last answer {status}", count)
        for client, counts in summary.errors.items()
        for status, count in sorted(counts.items())
    ]
    return table(("client", "outcome", "operations"), [*rows, *errors])


def _latencies(summary: Summary) -> str:
    found = {name: latencies.summary() for name, latencies in sorted(summary.latencies.items())}
    head = list(next(iter(found.values()), dict[str, object]()))
    return table(("operations", *head), [(name, *figures.values()) for name, figures in found.items()])


def _quality(quality: Mapping[str, Any]) -> str:
    return table(("figure", "value"), [(key.replace("_", " "), value) for key, value in quality.items()])


def _checker(report: Mapping[str, Any]) -> str:
    if not report:
        return "<p>Nothing: the run was interrupted.</p>"
    rows = [
        (item["invariant"], item["subjects"], item["checked"] or "none", item["violated"])
        for item in report["invariants"]
    ]
    found = "".join(
        f"<li>{escape(item['invariant'])}: {escape(item['subject'])}: {escape(item['detail'])}</li>"
        for item in report["findings"][:100]
    )
    return table(("invariant", "of", "checked", "violated"), rows) + f"<ul>{found}</ul>"


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.3f}".rstrip("0").rstrip(".")
    return ", ".join(map(str, cast("list[object]", cell))) if isinstance(cell, list | tuple) else str(cell)
