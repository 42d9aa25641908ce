"""Pure: a configuration's text to the lines that count, and those to a revision.

For templates, and for what the routers behind NAPALM print. The simulated ones keep lines as they are given,
and FRR's are read by its own driver.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

_REVISION_DIGITS = 16
"""64 bits: two configurations of one router never meet by chance."""

_COMMENT: Mapping[str, re.Pattern[str]] = {
    "junos": re.compile(r"\s*#"),
    # `!!` is a comment that EOS keeps: part of the configuration.
    "eos": re.compile(r"\s*!(?!!)"),
}
_COMMENT_ELSEWHERE = re.compile(r"\s*!")

_VOLATILE: Mapping[str, re.Pattern[str]] = {
    # NAPALM sets `file prompt quiet` while it works, so that it may or may not stand when it reads.
    "ios": re.compile(
        r"Building configuration|Current configuration|ntp clock-period |file prompt quiet$|end$"
    ),
    "iosxr": re.compile(r"Building configuration|end$|\w{3} \w{3} +\d+ [\d:.]+ \S+$"),
    "nxos": re.compile(r"Building configuration|Startup config saved at"),
    "eos": re.compile(r"end$"),
}
"""What a router prints around its configuration, and what changes without anybody changing it."""

_BANNER = re.compile(r"banner \S+(?: (?P<mark>\^C|\S)(?P<text>.*))?$")
_BANNER_PLATFORMS = frozenset({"ios", "iosxr", "nxos", "eos"})


def significant(platform: str, lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines without comments and blank ones, without trailing space, indentation kept.

    A banner keeps its blank lines, and what looks like a comment in it is text.
    """
    comment = _COMMENT.get(platform, _COMMENT_ELSEWHERE)
    return tuple(
        line.rstrip()
        for line, is_banner in _with_banners(platform, lines)
        if is_banner or (line.strip() and not comment.match(line))
    )


def read(platform: str, text: str) -> tuple[str, ...]:
    """Return the running configuration that a router printed, without what it prints around it."""
    volatile = _VOLATILE.get(platform)
    lines = significant(platform, text.splitlines())
    return tuple(line for line in lines if not (volatile and volatile.match(line)))


def revision(lines: Sequence[str]) -> str:
    """Return the name of a configuration: a hash of its lines, in order."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_REVISION_DIGITS]


def _with_banners(platform: str, lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield each line and whether it is of a banner, up to the mark that its first line names.

    EOS names none and ends at `EOF`.
    """
    mark = ""
    for line in lines:
        if mark:
            yield line, True
            if mark in line:
                mark = ""
            continue
        yield line, False
        match = _BANNER.match(line) if platform in _BANNER_PLATFORMS else None
        if match and match["mark"] is None:
            mark = "EOF" if platform == "eos" else ""
        elif match and match["mark"] not in match["text"]:
            mark = match["mark"]
