"""Where the checker reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporalio.client import Client

from load_tests.errors import LoadTestError
from worker.simulator.client import SimulatorClient


@dataclass(frozen=True)
class Sources:
    """The stores, and how long to ask them.

    Attributes:
        clients: One of each Temporal namespace, with the stack's data converter (`worker.client.connect`).
        workflows: Code to replay histories with. None of a type: its histories are not replayed.
        simulator: Whose ledger tells the effects; None: effects are not checked.
        ledger_prefix: Begins the idempotency keys of the run under test; empty: all of the ledger is read.
        end_seconds: How long workflows may take to end after the check has begun. Default 60: what was due
            during the run is late by no more than an outage and the retries after it.
        visibility_seconds: How long visibility may take to agree with the store. Default 60 (facts, 2.2).
        read_seconds: How long a read is tried again. Default 120, longer than a failover of the database.
        concurrency: Reads at a time. Default 16: more would be load, and there may be nobody to spare it.
    """

    clients: Mapping[str, Client]
    workflows: Sequence[type] = ()
    simulator: SimulatorClient | None = None
    ledger_prefix: str = ""
    end_seconds: float = 60
    visibility_seconds: float = 60
    read_seconds: float = 120
    concurrency: int = 16

    def client(self, namespace: str) -> Client:
        """Return the namespace's client.

        Raises:
            LoadTestError: When there is none.
        """
        try:
            return self.clients[namespace]
        except KeyError:
            known = ", ".join(sorted(self.clients)) or "none"
            raise LoadTestError(
                f"namespace: {namespace!r} of an operation has no client; there are {known}"
            ) from None
