"""Counters and gauges in Prometheus' text format."""

from __future__ import annotations

import threading

from zone_watcher.decision import Reason
from zone_watcher.model import Vote

_HELP = {
    "zone_watcher_rounds_total": ("counter", "Rounds of looking."),
    "zone_watcher_decisions_total": (
        "counter",
        "Decisions by what came out: action, or the reason for none.",
    ),
    "zone_watcher_deletions_total": ("counter", "Deletions of the primary's pod by result."),
    "zone_watcher_api_errors_total": ("counter", "Requests that the API server did not answer or refused."),
    "zone_watcher_zone_silent_seconds": ("gauge", "How long this watcher has heard nothing of a zone."),
    "zone_watcher_zone_witness_kinds": (
        "gauge",
        "Kinds of witness that answer in a zone, or did until it fell silent.",
    ),
}
ACTION = "action"
"""What a decision is counted as when it is none of the reasons."""


class Metrics:
    """The watcher's own figures. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], float] = {
            ("zone_watcher_rounds_total", "", ""): 0,
            ("zone_watcher_api_errors_total", "", ""): 0,
            **{("zone_watcher_decisions_total", "outcome", outcome): 0 for outcome in (ACTION, *Reason)},
            **{
                ("zone_watcher_deletions_total", "result", result): 0
                for result in ("deleted", "gone", "failed")
            },
        }

    def count(self, name: str, label: str = "", value: str = "") -> None:
        """Add one to a counter."""
        with self._lock:
            key = (name, label, value)
            self._values[key] = self._values.get(key, 0) + 1

    def show(self, vote: Vote) -> None:
        """Set what the last round heard."""
        with self._lock:
            for zone, silence in vote.silences.items():
                self._values["zone_watcher_zone_silent_seconds", "zone", zone] = round(silence.seconds, 3)
                self._values["zone_watcher_zone_witness_kinds", "zone", zone] = len(silence.kinds)

    def render(self) -> str:
        """Return the text."""
        with self._lock:
            values = dict(self._values)
        lines: list[str] = []
        for name, (kind, text) in _HELP.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
            for (owner, label, value), number in sorted(values.items()):
                if owner == name:
                    labels = f'{{{label}="{value}"}}' if label else ""
                    lines.append(f"{name}{labels} {number:g}")
        return "\n".join([*lines, ""])
