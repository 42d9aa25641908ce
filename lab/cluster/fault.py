"""What a fault of the lab is: which kind, of which machine. Pure data; `faults` makes it real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.cluster.layout import CONTROL, Machine, Node, node_in
from lab.errors import LabError

TOWARD = "toward"


class Kind(StrEnum):
    """What is wrong, by the name of the command that brings it about."""

    POWER_OFF = "power-off"
    """The machine's processes are gone and its link is down."""
    SILENCE = "silence"
    """The machine runs, but its packets are dropped: all of them, or those toward one other zone."""
    SILENCE_POD = "silence-pod"
    """The packets of one pod of the machine are dropped."""
    FREEZE = "freeze"
    """The machine's processes stand still; its kernel goes on."""
    STOP_API = "stop-api"
    """The API server does not run. Of the control machine, which is in no zone."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: What is wrong.
        node: Of which node; None for the API server.
        toward: For a silence in one direction: the node that hears nothing any more.
        pod: For a pod's silence: its address.
    """

    kind: Kind
    node: Node | None = None
    toward: Node | None = None
    pod: str | None = None

    @property
    def machine(self) -> Machine:
        """The machine it is a fault of; its logs tell about the fault."""
        return self.node or CONTROL

    @property
    def words(self) -> list[str]:
        """The fault as a person would say it, and as `parse` takes it."""
        words = [str(self.kind), *([self.node.zone] if self.node else []), *([self.pod] if self.pod else [])]
        return [*words, TOWARD, self.toward.zone] if self.toward else words

    @property
    def slug(self) -> str:
        """The fault as a part of a file's name, without a dot."""
        return "-".join(self.words).replace(".", "-")

    def __str__(self) -> str:
        return " ".join(self.words)


def parse(words: Sequence[str]) -> Fault:
    """Return the fault that `Fault.words` describes.

    Raises:
        LabError: No fault is called that.
        KeyError: There is no such zone; the message lists them.
    """
    match list(words):
        case [Kind.STOP_API]:
            return Fault(Kind.STOP_API)
        case [Kind.SILENCE, zone, "toward", other]:
            return Fault(Kind.SILENCE, node_in(zone), node_in(other))
        case [Kind.SILENCE_POD, zone, address]:
            return Fault(Kind.SILENCE_POD, node_in(zone), pod=address)
        case [Kind.POWER_OFF | Kind.SILENCE | Kind.FREEZE as kind, zone]:
            return Fault(Kind(kind), node_in(zone))
        case _:
            raise LabError(f"fault: {' '.join(words)!r} is none; one is 'silence zone-c toward zone-a'")
