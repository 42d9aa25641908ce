from __future__ import annotations

from collections.abc import Callable

from zone_watcher.errors import ApiError
from zone_watcher.leases import NodeLeases

NODES = {"c": ["node-c1", "node-c2"]}


def constant(node: str) -> str:
    return f"{node} at 10:00:00"


def renewed(node: str) -> str:
    return "node-c2 at 10:00:10" if node == "node-c2" else constant(node)


def unreachable(node: str) -> str:
    raise ApiError(0, f"{node}: timed out")


def ask(leases: NodeLeases, *reads: Callable[[str], str]) -> list[bool | None]:
    return [leases.follow(["c"], NODES, read)["c"] for read in reads]


def test_nothing_can_be_told_from_one_look() -> None:
    assert ask(NodeLeases(), constant) == [None]


def test_leases_that_stay_as_they_were_were_not_renewed() -> None:
    assert ask(NodeLeases(), constant, constant, constant) == [None, False, False]


def test_one_renewal_of_one_node_counts_for_the_whole_silence() -> None:
    assert ask(NodeLeases(), constant, renewed, renewed, constant) == [None, True, True, True]


def test_a_failing_api_server_tells_nothing() -> None:
    assert ask(NodeLeases(), constant, unreachable, constant) == [None, None, False]
    assert ask(NodeLeases(), unreachable, constant, constant) == [None, None, False]


def test_a_zone_without_nodes_is_not_known() -> None:
    leases = NodeLeases()

    assert [leases.follow(["c"], {}, constant) for _ in range(2)] == [{"c": None}, {"c": None}]


def test_a_new_silence_begins_anew() -> None:
    leases = NodeLeases()
    assert ask(leases, constant, renewed) == [None, True]

    assert leases.follow([], NODES, constant) == {}
    assert ask(leases, renewed, renewed) == [None, False]


def test_a_node_that_came_to_be_known_only_now_is_no_renewal() -> None:
    leases = NodeLeases()
    leases.follow(["c"], {"c": ["node-c1"]}, constant)

    assert leases.follow(["c"], NODES, constant) == {"c": False}
