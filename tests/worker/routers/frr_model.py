"""FRR's shell as far as the planner relies on it, seen on FRR 8.4.4: takes commands, refuses bad ones."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

Tree = dict[str, "Tree"]

_SECTION = re.compile(r"(router bgp|address-family|route-map|interface) ")
_ONE_VALUE = re.compile(
    r"(bgp router-id|neighbor \S+ (?:remote-as|description|timers)|set local-preference) "
)
_PREFIX_RULE = re.compile(r"(ip prefix-list \S+) seq (\d+) (.*)")


def tree(lines: Iterable[str]) -> Tree:
    """Return what a configuration says, empty address families left out, as FRR does not show them."""
    root: Tree = {}
    stack = [(-1, root)]
    for line in lines:
        indent = len(line) - len(line.lstrip())
        while stack[-1][0] >= indent:
            stack.pop()
        if not line.lstrip().startswith("exit"):
            stack.append((indent, stack[-1][1].setdefault(line.strip(), {})))
    return without_empty(root)


def without_empty(node: Tree) -> Tree:
    cleaned = {text: without_empty(children) for text, children in node.items()}
    return {
        text: children
        for text, children in cleaned.items()
        if children or not text.startswith(("address-family", "interface"))
    }


class FrrModel:
    """A running FRR."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.root = tree(lines)

    def type(self, commands: Iterable[str]) -> None:
        """Take commands as `configure terminal` does.

        Raises:
            AssertionError: Where FRR would print an error, or ignore the command.
        """
        stack = [self.root]
        for line in commands:
            text = line.strip()
            if text.startswith("exit"):
                stack.pop()
            elif text.startswith("no "):
                self._remove(stack, text.removeprefix("no "))
            elif _SECTION.match(text):
                stack.append(stack[-1].setdefault(text, {}))
            else:
                self._add(stack, text)

    def _add(self, stack: list[Tree], text: str) -> None:
        here = stack[-1]
        if f"no {text}" in here:
            del here[f"no {text}"]
            return
        if rule := _PREFIX_RULE.match(text):
            others = [match for line in here if (match := _PREFIX_RULE.match(line)) and match[1] == rule[1]]
            assert rule[2] not in {other[2] for other in others}, f"taken: {text}"
            assert rule[3] not in {other[3] for other in others}, f"ignored: {text}"
        if text.startswith("neighbor "):
            self._meet_neighbor(stack, text)
        if value := _ONE_VALUE.match(text):
            for line in [line for line in here if line.startswith(value[0])]:
                del here[line]
        here[text] = {}

    def _meet_neighbor(self, stack: list[Tree], text: str) -> None:
        bgp = stack[1]
        _, name, verb, *rest = text.split()
        is_known = any(
            line.startswith((f"neighbor {name} remote-as", f"neighbor {name} peer-group")) for line in bgp
        )
        if verb == "peer-group" and rest:
            assert f"neighbor {rest[0]} peer-group" in bgp, f"no such group: {text}"
            has_number = any(line.startswith(f"neighbor {rest[0]} remote-as ") for line in bgp)
            assert is_known or has_number, f"no AS: {text}"
            for section in bgp.values():
                for line in [line for line in section if f"neighbor {name} " in line]:
                    del section[line]
        elif verb not in {"remote-as", "peer-group"} or len(stack) > 2:
            assert is_known, f"unknown neighbour: {text}"

    def _remove(self, stack: list[Tree], text: str) -> None:
        here = stack[-1]
        assert not text.startswith(("interface ", "address-family ")), f"cannot go: {text}"
        if re.fullmatch(r"neighbor \S+", text):
            self._forget(here, text.split()[1])
        elif text in here:
            assert not re.match(r"neighbor \S+ (remote-as|peer-group)", text), f"takes more with it: {text}"
            del here[text]
        else:
            if text.startswith("neighbor "):
                self._meet_neighbor(stack, text)
            here[f"no {text}"] = {}

    def _forget(self, bgp: Tree, name: str) -> None:
        members = [line.split()[1] for line in bgp if re.fullmatch(rf"neighbor \S+ peer-group {name}", line)]
        assert any(line.startswith(f"neighbor {name} ") for line in bgp), f"unknown neighbour: {name}"
        for section in (bgp, *bgp.values()):
            for line in [
                line for line in section if re.match(rf"(no )?neighbor ({'|'.join([name, *members])}) ", line)
            ]:
                del section[line]


def configuration(chance: random.Random) -> tuple[str, ...]:
    """Return some valid configuration."""
    return tuple(_lines(chance))


def _lines(chance: random.Random) -> Iterator[str]:
    for name in "AB":
        for sequence in (5, 10):
            if chance.random() < 0.5:
                # The same rule is never under both numbers, which FRR does not allow.
                yield f"ip prefix-list {name} seq {sequence} permit 10.{2 * chance.randint(0, 1) + sequence % 2}.0.0/16"
    for sequence in (10, 20):
        if chance.random() < 0.5:
            yield f"route-map IN {chance.choice(['permit', 'deny'])} {sequence}"
            if chance.random() < 0.5:
                yield f" set local-preference {chance.choice([100, 200])}"
    if chance.random() < 0.4:
        yield f"interface eth{chance.randint(0, 1)}"
        yield f" ip address 10.0.0.{chance.randint(1, 2)}/24"
    if chance.random() < 0.9:
        yield from _bgp(chance)


def _bgp(chance: random.Random) -> Iterator[str]:
    yield f"router bgp {chance.choice([65001, 65001, 65002])}"
    if chance.random() < 0.5:
        yield f" bgp router-id 10.0.0.{chance.randint(1, 2)}"
    if chance.random() < 0.5:
        yield " no bgp ebgp-requires-policy"
    has_group, has_number = chance.random() < 0.6, chance.random() < 0.6
    if has_group:
        yield " neighbor EDGE peer-group"
    if has_group and has_number:
        yield f" neighbor EDGE remote-as {chance.choice([65010, 65011])}"
    peers = [f"10.0.0.{last}" for last in (2, 3, 4) if chance.random() < 0.7]
    for peer in peers:
        is_member = has_group and chance.random() < 0.4
        if not (is_member and has_number):
            yield f" neighbor {peer} remote-as {chance.choice([65010, 65011])}"
        if is_member:
            yield f" neighbor {peer} peer-group EDGE"
        if chance.random() < 0.5:
            yield f" neighbor {peer} description d{chance.randint(1, 2)}"
        if chance.random() < 0.3:
            yield f" neighbor {peer} timers {chance.choice(['5 15', '10 30'])}"
    yield " address-family ipv4 unicast"
    yield from (f"  network 10.{third}.0.0/24" for third in (1, 2) if chance.random() < 0.5)
    for peer in peers:
        if chance.random() < 0.4:
            yield f"  neighbor {peer} route-map {chance.choice(['IN', 'OUT'])} in"
        if chance.random() < 0.3:
            yield f"  no neighbor {peer} activate"
    yield " exit-address-family"
    yield " address-family ipv6 unicast"
    yield from (f"  neighbor {peer} activate" for peer in peers if chance.random() < 0.4)
    yield " exit-address-family"
