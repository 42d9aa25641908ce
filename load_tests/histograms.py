"""Latencies as HDR histograms: three significant digits from a microsecond to an hour, mergeable without loss.

Percentiles of several processes cannot be averaged; their histograms can be added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, cast

from hdrh.histogram import HdrHistogram

_UNIT = 1_000_000
"""Counts are of microseconds."""
_MOST = 3600 * _UNIT
_DIGITS = 3


class _Histogram(Protocol):
    """What is used of the library, which has no types of its own."""

    total_count: int
    b64_wrap: bool

    def record_value(self, value: int) -> bool: ...
    def get_value_at_percentile(self, percentile: float) -> float: ...
    def get_max_value(self) -> float: ...
    def add(self, other_hist: _Histogram) -> None: ...
    def encode(self) -> bytes: ...


def _decode(text: bytes) -> _Histogram:
    decode = cast("Callable[[bytes], _Histogram]", HdrHistogram.decode)  # pyright: ignore[reportUnknownMemberType] - untyped
    return decode(text)


class Latencies:
    """How long operations took."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._histogram = cast("_Histogram", HdrHistogram(1, _MOST, _DIGITS))
        for value in seconds:
            self.record(value)

    def __len__(self) -> int:
        return self._histogram.total_count

    def record(self, seconds: float) -> None:
        """Count one; what lies outside the range counts as its end, because the library would drop it."""
        self._histogram.record_value(min(max(round(seconds * _UNIT), 0), _MOST - 1))

    def add(self, other: Latencies) -> None:
        """Count everything that another histogram counted."""
        self._histogram.add(other._histogram)

    def percentile(self, percent: float) -> float | None:
        """Return the latency in seconds that so many percent did not exceed; None when nothing was counted."""
        if not self._histogram.total_count:
            return None
        return self._histogram.get_value_at_percentile(percent) / _UNIT

    @property
    def most(self) -> float | None:
        """The longest, in seconds; None when nothing was counted."""
        return self._histogram.get_max_value() / _UNIT if self._histogram.total_count else None

    def summary(self) -> dict[str, float | int | None]:
        """Return count and percentiles in milliseconds, as the reports show them."""
        percentiles = {f"p{percent:g}_ms": self.percentile(percent) for percent in (50, 90, 99, 99.9)}
        figures = {**percentiles, "max_ms": self.most}
        rounded = {key: None if value is None else round(value * 1000, 3) for key, value in figures.items()}
        return {"count": len(self), **rounded}

    def encode(self) -> str:
        """Return it as text, in HDR's own V2 format, base64."""
        return self._histogram.encode().decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Latencies:
        """Read what `encode` wrote."""
        decoded = cls()
        decoded._histogram = _decode(text.encode("ascii"))
        return decoded
