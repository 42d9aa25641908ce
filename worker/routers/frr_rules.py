"""What the planner must know about FRR: which commands cannot be taken back, and what goes with what.

Seen on FRR 8.4.4. `worker.routers.planner` imports this on first use, because hier_config is slow to load.
"""

from __future__ import annotations

import re

from hier_config import HConfig, HConfigChild, MatchRule
from hier_config.models import IdempotentCommandsRule, NegationDefaultWithRule, OrderingRule
from hier_config.platforms.driver_base import HConfigDriverBase, HConfigDriverRules

_BGP = "router bgp"
_FAMILY = "address-family "

_LASTING = re.compile(r"(interface|vrf|address-family) \S|line vty$")
"""Sections that FRR keeps as long as the thing they are about exists: there is no `no interface eth0` for a
link that is up, and no `no address-family`. They are emptied instead."""

_SECTION = re.compile(
    r"(interface|vrf|address-family|router|route-map|key chain|pbr-map|vni|bfd|mpls|peer|profile)\b|line vty$"
)
"""Lines that open a section even when nothing is to be said inside."""

_NOT_SET = re.compile(r"frr (version|defaults) |exit$|exit-|end$|(no )?service integrated-vtysh-config$")
"""Lines that a configuration shows and a running FRR does not take, and ends of sections."""

_PEER = re.compile(r"(no )?neighbor (?P<name>\S+) (?P<rest>.+)")


class FrrRules(HConfigDriverBase):
    """FRR's dialect for hier_config."""

    @staticmethod
    def _instantiate_rules() -> HConfigDriverRules:
        """Return what differs from the generic dialect.

        One value replaces another without a removal where the removal would do harm: without its
        `remote-as` a neighbour is gone, and all that is said about it.
        """
        return HConfigDriverRules(
            indentation=1,
            idempotent_commands=[
                _replaces(r"^hostname "),
                _replaces(r"^router bgp", r"^bgp router-id "),
                _replaces(r"^router bgp", r"^neighbor (\S+) remote-as "),
                _replaces(r"^router bgp", r"^neighbor (\S+) description "),
                _replaces(r"^interface ", r"^description "),
            ],
            negate_with=[
                # FRR takes no text after these.
                _removed_by("no description", r"^interface ", r"^description "),
                _removed_by("no password", r"^password "),
                _removed_by("no enable password", r"^enable password "),
            ],
            # The default instance cannot go before those of the VRFs.
            ordering=[
                OrderingRule(match_rules=(MatchRule(re_search=r"^no router bgp \d+ vrf "),), weight=-10)
            ],
        )


def _replaces(*path: str) -> IdempotentCommandsRule:
    return IdempotentCommandsRule(match_rules=tuple(MatchRule(re_search=pattern) for pattern in path))


def _removed_by(command: str, *path: str) -> NegationDefaultWithRule:
    rules = tuple(MatchRule(re_search=pattern) for pattern in path)
    return NegationDefaultWithRule(match_rules=rules, use=command)


def closing(child: HConfigChild) -> str:
    """Return what ends the section that this line opens, empty when it opens none."""
    if not child.children and not _SECTION.match(child.text):
        return ""
    if child.text.startswith(_FAMILY):
        return "exit-address-family"
    return "exit-vrf" if child.text.startswith("vrf ") else "exit"


def prepare(running: HConfig, desired: HConfig) -> None:
    """Make both trees such that their plain difference is what FRR takes."""
    for tree in (running, desired):
        for child in tuple(tree.all_children()):
            if _NOT_SET.match(child.text):
                child.delete()
    _keep_lasting_sections(running, desired)
    for bgp in running.get_children(startswith=_BGP):
        if twin := desired.get_child(equals=bgp.text):
            _forget_lost_peers(bgp, twin)


def _keep_lasting_sections(running: HConfig | HConfigChild, desired: HConfig | HConfigChild) -> None:
    """Add the sections that can only be emptied to the desired tree, first, as emptying is removing."""
    wanted = tuple(desired.children)
    desired.children.clear()
    for section in running.children:
        if _LASTING.match(section.text) and not any(line.text == section.text for line in wanted):
            desired.add_child(section.text)
    desired.children.extend(wanted)
    for section in running.children:
        if twin := desired.get_child(equals=section.text):
            _keep_lasting_sections(section, twin)


def _forget_lost_peers(running: HConfigChild, desired: HConfigChild) -> None:
    """Plan neighbours that must go, and come again if desired, as FRR takes it.

    All that is said about such a neighbour goes with it, and FRR refuses commands about one that it does not
    have: so the running tree keeps one line, whose negation is `no neighbor NAME`. A member goes with its
    group, without a command of its own.
    """
    before, after = _origins(running), _origins(desired)
    lost = {name for name, origin in before.items() if after.get(name) != origin}
    orphans = {name for name, origin in before.items() if _groups(origin) & lost}
    for section in (running, *running.get_children(startswith=_FAMILY)):
        for line in tuple(section.children):
            if (match := _PEER.match(line.text)) and match["name"] in lost:
                line.delete()
    for name in sorted(lost - orphans):
        running.add_child(f"neighbor {name}")


def _origins(bgp: HConfigChild) -> dict[str, frozenset[str]]:
    """Return for each neighbour and peer group what it is made of.

    Another number of its `remote-as` leaves it what it is; joining or leaving a group does not: FRR then
    forgets the neighbour, or what it was told about its address families.
    """
    origins: dict[str, set[str]] = {}
    for line in bgp.children:
        if match := _PEER.match(line.text):
            word = match["rest"].split()[0]
            if word in {"remote-as", "peer-group", "interface"}:
                said = word if word == "remote-as" else match["rest"]
                origins.setdefault(match["name"], set()).add(said)
    return {name: frozenset(origin) for name, origin in origins.items()}


def _groups(origin: frozenset[str]) -> set[str]:
    """Return the group it is in: `peer-group NAME`, or `interface peer-group NAME` of an unnumbered one."""
    return {part.split()[-1] for part in origin if "peer-group " in part}
