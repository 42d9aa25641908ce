"""Small plots as inline SVG: lines and filled steps over the seconds of a run. No script, no external file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 860, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 24
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#718096")


@dataclass(frozen=True)
class Line:
    """One series over the seconds of a run."""

    name: str
    values: Sequence[float | None]
    """One for each second, or for each of `at`; None leaves a gap."""
    at: Sequence[float] | None = None
    """Seconds from the begin. Default: 0, 1, 2 ..."""


@dataclass(frozen=True)
class Span:
    """A marked stretch of the run, such as a fault."""

    begin: float
    end: float
    name: str


def plot(
    title: str,
    unit: str,
    lines: Sequence[Line],
    seconds: float,
    spans: Sequence[Span] = (),
    top: float | None = None,
) -> str:
    """Return a plot with its legend.

    Args:
        title: What is shown.
        unit: Of the values.
        lines: The series.
        seconds: Length of the time axis.
        spans: What is marked.
        top: End of the value axis. Default: a round number above every value.
    """
    most = top or round_up(
        max((value for line in lines for value in line.values if value is not None), default=1)
    )
    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_plot_width()}" height="{_plot_height()}" class="frame"/>'
    ]
    parts += [_span(span, seconds) for span in spans]
    parts += [_tick_y(most * step / 4, most) for step in range(5)]
    parts += [_tick_x(at, seconds) for at in _ticks(seconds)]
    parts += [_line(line, COLOURS[number % len(COLOURS)], seconds, most) for number, line in enumerate(lines)]
    legend = " ".join(
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">&#9644; {escape(line.name)}</span>'
        for number, line in enumerate(lines)
    )
    return (
        f"<figure><figcaption>{escape(title)} ({escape(unit)}) {legend}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg></figure>'
    )


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10 and so on that is not below the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _plot_width() -> int:
    return _WIDTH - _LEFT - _RIGHT


def _plot_height() -> int:
    return _HEIGHT - _TOP - _BOTTOM


def _x(at: float, seconds: float) -> float:
    return round(_LEFT + _plot_width() * min(at / seconds, 1), 1)


def _y(value: float, most: float) -> float:
    return round(_TOP + _plot_height() * (1 - min(value / most, 1)), 1)


def _ticks(seconds: float) -> list[float]:
    step = round_up(seconds / 8)
    return [step * number for number in range(int(seconds / step) + 1)]


def _tick_x(at: float, seconds: float) -> str:
    x = _x(at, seconds)
    return f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="middle">{at:g} s</text>'


def _tick_y(value: float, most: float) -> str:
    y = _y(value, most)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" class="grid"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    )


def _span(span: Span, seconds: float) -> str:
    left, right = _x(span.begin, seconds), _x(span.end, seconds)
    return (
        f'<rect x="{left}" y="{_TOP}" width="{max(right - left, 1):.1f}" height="{_plot_height()}" class="span">'
        f"<title>{escape(span.name)}</title></rect>"
        f'<text x="{left + 3}" y="{_TOP + 12}">{escape(span.name)}</text>'
    )


def _line(line: Line, colour: str, seconds: float, most: float) -> str:
    """Return one path for each stretch without a gap; a single point is drawn as a dot."""
    times = line.at if line.at is not None else [second + 0.5 for second in range(len(line.values))]
    paths: list[str] = []
    stretch: list[str] = []
    for at, value in [*zip(times, line.values, strict=True), (0.0, None)]:
        if value is not None:
            stretch.append(f"{_x(at, seconds)},{_y(value, most)}")
            continue
        if len(stretch) == 1:
            x, _, y = stretch[0].partition(",")
            paths.append(f'<circle cx="{x}" cy="{y}" r="1.5" fill="{colour}"/>')
        elif stretch:
            paths.append(f'<polyline points="{" ".join(stretch)}" stroke="{colour}" class="line"/>')
        stretch = []
    return "".join(paths)
