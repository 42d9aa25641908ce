"""A client of the simulator for whoever sets up routers and reads the ledger: demo, tests, load, drills.

The deployments themselves use the driver `worker.routers.simulated`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from worker.simulator.store import Entry, Fault, Kind, Outcome

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)


class SimulatorError(Exception):
    """The simulator does not answer or refuses; the message is one line for people."""


@dataclass(frozen=True)
class Tally:
    """How often each change of some deployment was made, by the ledger."""

    applied: int
    duplicates: int
    """Repeated attempts, which changed nothing: the mark of a step retried after its worker died."""


class SimulatorClient:
    """Talks to one simulator. Its session belongs to the caller, who closes it."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")

    async def put_router(
        self,
        name: str,
        tenant: str,
        *,
        site: str = "lab",
        latency_seconds: float = 0,
        running: Sequence[str] | None = None,
    ) -> None:
        """Create a router; an existing one is left alone.

        Raises:
            SimulatorError: When the simulator does not answer or refuses.
        """
        body: dict[str, Any] = {"tenant": tenant, "site": site, "latency_seconds": latency_seconds}
        if running is not None:
            body["running"] = list(running)
        await self._call("PUT", f"/routers/{name}", body)

    async def get_router(self, name: str) -> dict[str, Any]:
        """Return a router as the simulator has it.

        Raises:
            SimulatorError: When the simulator does not answer or refuses.
        """
        return await self._call("GET", f"/routers/{name}")

    async def set_fault(self, router: str, fault: Fault, times: int = 1, delay_seconds: float = 0) -> None:
        """Make a router misbehave for its next requests that the fault concerns; 0 times clears it.

        Raises:
            SimulatorError: When the simulator does not answer or refuses.
        """
        body = {"times": times, "delay_seconds": delay_seconds}
        await self._call("PUT", f"/routers/{router}/faults/{fault.value}", body)

    async def ledger(self, prefix: str = "") -> list[Entry]:
        """Return every entry whose idempotency key starts with the prefix, oldest first.

        Raises:
            SimulatorError: When the simulator does not answer or refuses.
        """
        entries: list[Entry] = []
        while True:
            after = entries[-1].sequence if entries else 0
            answer = await self._call("GET", "/ledger", query={"prefix": prefix, "after": str(after)})
            page = [_entry(item) for item in answer["entries"]]
            if not page:
                return entries
            entries += page

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        url = f"{self._base_url}{path}"
        try:
            async with self._session.request(
                method, url, json=body, params=query, timeout=_TIMEOUT
            ) as response:
                answer = cast("dict[str, Any]", await response.json())
                if response.status < 400:
                    return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SimulatorError(f"{url} does not answer: {error!r}") from error
        raise SimulatorError(f"{url} refuses: {answer.get('detail')}")


def tally(entries: Sequence[Entry]) -> Tally:
    """Count changes of running configurations and repeated attempts at them; roll-backs do not count."""
    outcomes = Counter(entry.outcome for entry in entries if entry.kind is Kind.APPLY)
    return Tally(applied=outcomes[Outcome.APPLIED], duplicates=outcomes[Outcome.DUPLICATE])


def _entry(values: dict[str, Any]) -> Entry:
    typed: dict[str, Any] = {
        **values,
        "kind": Kind(values["kind"]),
        "outcome": Outcome(values["outcome"]),
    }
    return Entry(**typed)
