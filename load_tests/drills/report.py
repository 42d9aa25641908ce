"""The page of a drill: that of its load run, with the fault marked and what the drill came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from load_tests import records
from load_tests.drills import results
from load_tests.runs.plots import Span
from load_tests.runs.report import FILE, read_run, table, to_html
from load_tests.runs.summary import summarise


def write_page(folder: Path) -> Path | None:
    """Make the page of a drill from what its folder holds; return where it is, None where there was no load."""
    if not (folder / "run.json").exists():
        return None
    values, found = read_run(folder), results.read(folder / results.FILE)
    summary = summarise(records.read_all(folder), values["summary"]["begin"], values["summary"]["seconds"])
    values |= {"verdict": found["verdict"], "reasons": found["reasons"]}
    page = to_html(
        values, summary, spans_of(found), f"Drill {found['drill']} on {found['stack']}", sections_of(found)
    )
    path = folder / FILE
    path.write_text(page, encoding="utf-8")
    return path


def spans_of(found: Mapping[str, Any]) -> list[Span]:
    """Return what is marked in the plots: the fault from its injection to its heal, and the longest outage."""
    moments, measures = found["moments"], found["measures"]
    if not moments:
        return []
    spans = [Span(moments["injected"], moments["healed"], "fault")]
    if measures and measures["outage_began_seconds"] is not None:
        began = moments["in_effect"] + measures["outage_began_seconds"]
        spans.append(Span(began, began + measures["outage_seconds"], "outage"))
    return spans


def sections_of(found: Mapping[str, Any]) -> list[str]:
    """Return what a drill adds to the page of its load run, as HTML."""
    fault = found["fault"]
    lines = [
        f"<p>{escape(found['summary'])}</p>",
        "<h2>The fault</h2>" + table(("", ""), _fault_rows(fault, found)),
    ]
    if found["marks"]:
        lines.append("<h2>Gates and goals</h2>" + table(_MARK_HEAD, [_mark_row(m) for m in found["marks"]]))
    lines.append("<h2>Predicted, then observed</h2>" + _prediction(found["prediction"]))
    if measures := found["measures"]:
        lines.append("<h2>Start to close</h2>" + table(_LATENCY_HEAD, _latency_rows(found)))
        rest = {key: value for key, value in measures.items() if not isinstance(value, dict)}
        rows = [*rest.items(), ("redundant_seconds", found["redundant_seconds"])]
        lines.append(
            "<h2>Figures</h2>" + table(("figure", "value"), [(k.replace("_", " "), v) for k, v in rows])
        )
    return lines


_MARK_HEAD = ("figure", "value", "gate", "within", "goal", "reached")
_LATENCY_HEAD = ("of", "when", "operations", "p50, s", "p99, s", "longest, s")


def _fault_rows(fault: Mapping[str, Any], found: Mapping[str, Any]) -> list[tuple[str, object]]:
    parameters = ", ".join(f"{key}={value}" for key, value in fault["parameters"].items())
    rows: list[tuple[str, object]] = [
        ("what", fault["description"] or "was not injected"),
        ("of the catalogue", f"{fault['name']} {parameters}".strip()),
        ("proof", fault["proof"]),
        ("this cluster does not offer", "; ".join(fault["could_not"])),
        ("zones it hits", ", ".join(fault["hit_zones"]) or "none as a whole"),
    ]
    moments: Mapping[str, float] = found["moments"] or {}
    return [*rows, *((f"{key.replace('_', ' ')}, s", value) for key, value in moments.items())]


def _mark_row(mark: Mapping[str, Any]) -> Sequence[object]:
    reached = {None: "", True: "yes", False: "no"}
    return (
        mark["name"].replace("_", " "), mark["value"], mark["gate"], reached[mark["is_within_gate"]],
        mark["goal"], reached[mark["is_within_goal"]],
    )  # fmt: skip


def _prediction(prediction: Mapping[str, Any] | None) -> str:
    if prediction is None:
        return "<p>Nobody predicted this drill.</p>"
    rows = [
        ("share of shards", prediction["share_of_shards"], prediction["observed_share"]),
        ("outage, s", prediction["outage_max_seconds"], prediction["observed_outage_seconds"]),
        ("whom", prediction["affected"], ""),
    ]
    why = "".join(f"<li>{escape(line)}</li>" for line in prediction["why"])
    return table(("", "at most predicted", "observed"), rows) + f"<ul>{why}</ul>"


def _latency_rows(found: Mapping[str, Any]) -> list[Sequence[object]]:
    parts = {"all tenants": {key: found["measures"][key] for key in ("before", "during", "after")}}
    return [
        (
            name, when, latency["operations"], latency["p50_seconds"], latency["p99_seconds"],
            latency["longest_seconds"],
        )
        for name, latencies in (parts | dict(found["tenants"])).items()
        for when, latency in latencies.items()
    ]  # fmt: skip
