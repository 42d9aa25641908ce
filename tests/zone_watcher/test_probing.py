"""Against real sockets on loopback, one of which drops handshakes as a dark zone does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from tests.zone_watcher.support import Place
from zone_watcher import views
from zone_watcher.model import Silence, Sites, Vote, Witness
from zone_watcher.probing import VIEW_PATH, ask_peer, is_there, look
from zone_watcher.server import Page, Server

VOTE = Vote("c", {"a": Silence(0.0, frozenset({"database"}))}, 0.25)


@pytest.fixture
def dark() -> Iterator[Place]:
    place = Place("127.0.0.1")
    place.silence()
    yield place
    place.close()


@pytest.fixture
def alive() -> Iterator[Place]:
    place = Place("127.0.0.1")
    yield place
    place.close()


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def peers() -> Iterator[dict[str, int]]:
    pages: dict[str, Page] = {
        "vote": (HTTPStatus.OK, views.dump(VOTE)),
        "nonsense": (HTTPStatus.OK, "{"),
        "waiting": (HTTPStatus.SERVICE_UNAVAILABLE, "nothing heard yet"),
    }
    servers = {
        name: Server(("127.0.0.1", 0), {VIEW_PATH: lambda page=page: page}) for name, page in pages.items()
    }
    for server in servers.values():
        server.start()
    yield {name: server.port for name, server in servers.items()}
    for server in servers.values():
        server.stop()


def witness(port: int, kind: str = "database", zone: str = "c") -> Witness:
    return Witness(kind, zone, "127.0.0.1", port)


def test_whoever_takes_or_refuses_a_connection_is_there(alive: Place, closed: int) -> None:
    assert is_there(witness(alive.port))
    assert is_there(witness(closed))


def test_whoever_answers_nothing_is_not_there(dark: Place) -> None:
    assert not is_there(witness(dark.port), timeout_seconds=0.2)
    assert ask_peer(witness(dark.port), timeout_seconds=0.2) == (False, None)


def test_a_peer_tells_its_vote(peers: dict[str, int]) -> None:
    assert ask_peer(witness(peers["vote"])) == (True, VOTE)


def test_a_peer_without_a_vote_is_there_all_the_same(
    peers: dict[str, int], alive: Place, closed: int
) -> None:
    # The second takes the connection and says nothing, as a frozen one does.
    for port in (peers["nonsense"], peers["waiting"], alive.port, closed):
        assert ask_peer(witness(port), timeout_seconds=0.2) == (True, None)


def test_a_round_asks_everybody_in_other_zones(alive: Place, dark: Place, peers: dict[str, int]) -> None:
    sites = Sites(
        witnesses=(witness(alive.port, zone="b"), witness(dark.port), witness(dark.port, zone="a")),
        peers=(witness(peers["vote"], "watcher"), witness(dark.port, "watcher", zone="a")),
        own_zone="a",
    )
    with ThreadPoolExecutor(4) as pool:
        found = look(sites, pool)

    assert found.answers == [
        (witness(alive.port, zone="b"), True),
        (witness(dark.port), False),
        (witness(peers["vote"], "watcher"), True),
    ]
    assert found.votes == [VOTE]


def test_a_vote_counts_for_the_zone_that_its_watcher_stands_in_only(peers: dict[str, int]) -> None:
    sites = Sites(peers=(witness(peers["vote"], "watcher", zone="b"),), own_zone="a")
    with ThreadPoolExecutor(1) as pool:
        assert look(sites, pool).votes == []


def test_a_vote_survives_the_way() -> None:
    assert views.load(views.dump(VOTE)) == VOTE


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"zone": "a", "age_seconds": 0, "silences": {"b": {"seconds": "x"}}}', "null"]
)
def test_what_is_no_vote_is_none(text: str) -> None:
    assert views.load(text) is None
