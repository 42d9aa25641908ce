"""Pure: running and desired configuration to commands.

A change is planned on the tree that a configuration's indentation spells, by hier_config with the rules of
the platform. FRR's rules are ours (`worker.routers.frr_rules`), the others are the library's.

What a plan leaves alone is the order of lines that stand in both: platforms keep an order of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hier_config import HConfig, HConfigChild
    from hier_config.platforms.driver_base import HConfigDriverBase

FRR = "frr"

_LIBRARY_RULES: Mapping[str, str] = {
    "ios": "CISCO_IOS",
    "iosxr": "CISCO_XR",
    "nxos": "CISCO_NXOS",
    "eos": "ARISTA_EOS",
    "junos": "JUNIPER_JUNOS",
}
"""Member of hier_config's `Platform` for each of ours; a platform that is not here gets generic rules."""


def plan(platform: str, running: Sequence[str], desired: Sequence[str]) -> tuple[str, ...]:
    """Return the commands that lead from one configuration to the other.

    A nested command follows the line of its section, one space further in. Removals come first, in the
    order in which the lines stand, because a router refuses a second value of what can be set only once.
    Lines common to both are left alone. FRR's sections are closed (`exit`), because some of its commands
    mean something else one level down; elsewhere a plan is for people to read, since the router replaces
    its configuration as a whole.
    """
    is_generic = platform != FRR and platform not in _LIBRARY_RULES
    if is_generic and not any(line[:1].isspace() for line in (*running, *desired)):
        return _plan_flat(running, desired)
    delta = _difference(platform, running, desired)
    return tuple(_commands(delta, 0, _close_frr if platform == FRR else _leave_open))


def _plan_flat(running: Sequence[str], desired: Sequence[str]) -> tuple[str, ...]:
    """Plan without sections: what hier_config would answer, at a hundredth of its price."""
    kept = set(desired)
    present = set(running)
    removals = tuple(_negated(line) for line in dict.fromkeys(running) if line not in kept)
    additions = tuple(line for line in dict.fromkeys(desired) if line not in present)
    return removals + tuple(line for line in additions if line not in removals)


def _negated(line: str) -> str:
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"


def _difference(platform: str, running: Sequence[str], desired: Sequence[str]) -> HConfig:
    before, after = _tree(platform, running), _tree(platform, desired)
    if platform == FRR:
        from worker.routers import frr_rules

        frr_rules.prepare(before, after)
    return before.config_to_get_to(after).set_order_weight()


def _tree(platform: str, lines: Sequence[str]) -> HConfig:
    """Load a configuration.

    The library's own loader knows the banners of its platforms, and fails on a section that stands twice
    or a banner without an end; ours merges the one and takes the other's lines as they come.
    """
    from hier_config import get_hconfig
    from hier_config.exceptions import DuplicateChildError

    rules = _rules(platform)
    if platform in _LIBRARY_RULES:
        try:
            return get_hconfig(rules, "\n".join(lines))
        except (DuplicateChildError, ValueError):
            pass
    return _load(rules, lines)


def _load(rules: HConfigDriverBase, lines: Sequence[str]) -> HConfig:
    from hier_config import HConfig

    tree = HConfig(rules)
    open_sections: list[tuple[int, HConfig | HConfigChild]] = [(-1, tree)]
    for line in lines:
        text = line.strip()
        if not text or text.startswith("!"):
            continue
        indent = len(line) - len(line.lstrip())
        while open_sections[-1][0] >= indent:
            open_sections.pop()
        child = open_sections[-1][1].add_child(text, return_if_present=True)
        open_sections.append((indent, child))
    return tree


@cache
def _rules(platform: str) -> HConfigDriverBase:
    """Return the platform's rules. Imported on first use: the library takes a tenth of a second to load."""
    from hier_config import Platform, get_hconfig_driver

    if platform == FRR:
        from worker.routers import frr_rules

        return frr_rules.FrrRules()
    return get_hconfig_driver(Platform[_LIBRARY_RULES.get(platform, "GENERIC")])


def _commands(
    section: HConfig | HConfigChild, depth: int, close: Callable[[HConfigChild], str]
) -> Iterator[str]:
    for child in sorted(section.children):
        yield " " * depth + child.text
        yield from _commands(child, depth + 1, close)
        if closing := close(child):
            yield " " * depth + closing


def _leave_open(_: HConfigChild) -> str:
    return ""


def _close_frr(child: HConfigChild) -> str:
    from worker.routers import frr_rules

    return frr_rules.closing(child)
