"""Pure: what NAPALM's getters return, judged."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from worker.models.deployment import CheckSpec
from worker.routers.driver import BGP_SESSION, INTERFACE, ROUTE, Check

Answer = Mapping[str, Any]


def judge(spec: CheckSpec, answer: Answer) -> Check:
    """Return whether what was asked for holds.

    The answer is that of `get_bgp_neighbors`, `get_route_to` or `get_interfaces`, by the check's kind.
    """
    detail = _JUDGES[spec.kind](spec.target, answer)
    return Check(str(spec), not detail, detail)


def _bgp_session(address: str, answer: Answer) -> str:
    """Return what is wrong; the answer has the peers of each routing instance."""
    for instance in answer.values():
        for peer, facts in instance["peers"].items():
            if _is_same_address(peer, address):
                return "" if facts["is_up"] else "not Established"
    return "no such neighbour"


def _route(_: str, answer: Answer) -> str:
    return "" if any(answer.values()) else "no route"


def _interface(name: str, answer: Answer) -> str:
    facts = answer.get(name)
    if facts is None:
        return "no such interface"
    return "" if facts["is_up"] else "down"


def _is_same_address(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return one == other


_JUDGES: Mapping[str, Callable[[str, Answer], str]] = {
    BGP_SESSION: _bgp_session,
    ROUTE: _route,
    INTERFACE: _interface,
}
