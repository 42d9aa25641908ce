"""One round of looking: every witness is asked at the same time, and whoever answers is there.

Pods are asked with a TCP handshake, which their kernel answers: a program that is only busy, on a machine without
idle processors, is not taken for dead. A frozen machine answers too, so it is none of the watcher's business.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from zone_watcher import views
from zone_watcher.model import Sites, Vote, Witness

TIMEOUT_SECONDS = 0.5
"""Many times what an answer within a region takes. A lost packet is sent again after 1 s, so waiting longer within a
round would gain nothing; the next round asks anew."""
VIEW_PATH = "/view"
"""Where a watcher tells its vote."""


@dataclass(frozen=True)
class Round:
    """What one round of looking found."""

    answers: Sequence[tuple[Witness, bool]]
    votes: Sequence[Vote]
    """Of the peers that answered with one."""


def look(sites: Sites, pool: Executor) -> Round:
    """Ask every witness and every peer outside the own zone, once."""
    witnesses = [item for item in sites.witnesses if item.zone != sites.own_zone]
    peers = [item for item in sites.peers if item.zone != sites.own_zone]
    waiting = pool.map(is_there, witnesses)
    asked = pool.map(ask_peer, peers)
    answers = list(zip(witnesses, waiting, strict=True))
    votes: list[Vote] = []
    for peer, (answered, vote) in zip(peers, asked, strict=True):
        # A watcher speaks for the zone that it stands in, and for no other.
        if vote is not None and vote.zone == peer.zone:
            votes.append(vote)
        answers.append((peer, answered))
    return Round(answers, votes)


def is_there(witness: Witness, timeout_seconds: float = TIMEOUT_SECONDS) -> bool:
    """Tell whether something answers at a witness's address; a refusal is an answer."""
    try:
        socket.create_connection((witness.address, witness.port), timeout_seconds).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def ask_peer(peer: Witness, timeout_seconds: float = TIMEOUT_SECONDS) -> tuple[bool, Vote | None]:
    """Tell whether a peer is there, and what it votes if it says so."""
    connection = http.client.HTTPConnection(peer.address, peer.port, timeout=timeout_seconds)
    try:
        connection.connect()
    except ConnectionRefusedError:
        return True, None
    except OSError:
        return False, None
    try:
        connection.request("GET", VIEW_PATH)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException):
        # It took the connection, so its machine lives; what it thinks is not known.
        return True, None
    finally:
        connection.close()
    return True, views.load(text) if answer.status == http.client.OK else None
