"""The two clients that a run looks through: a user's, which is patient, and a probe's, which is not.

The user's client is the one that the teams have (`worker.client`): it goes on trying under the same request id, and
gives up after a minute. A probe asks once and waits a second, so it shows what the user's patience hides. Both say
what became of a call as Jepsen does: what may have had its effect is unknown, and only what certainly had none failed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from load_tests.errors import LoadTestError
from load_tests.models import ClientKind, Outcome
from load_tests.stack import Target
from worker.client import RPC_TIMEOUT, connect, is_transient
from worker.errors import UsageError

_T = TypeVar("_T")

_REFUSALS = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
        RPCStatusCode.OUT_OF_RANGE,
    }
)
"""Said of the request alone, so however often it was tried it never had an effect."""
_REFUSALS_OF_ONE_CALL = _REFUSALS | {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.ALREADY_EXISTS,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}
"""Said of the state: no effect of this call, but one before it may have made that state."""


@dataclass(frozen=True)
class Patience:
    """How a client treats a call that does not come back well."""

    kind: ClientKind
    deadline_seconds: float
    """After so long it gives up."""
    call_seconds: float
    """How long one call may take, those of the SDK counted singly."""
    is_repeating: bool
    """Whether SDK and client try again what may succeed later."""
    pause_seconds: float = 0.5
    """Between calls of the client; as in `worker.starting.starter`."""

    @property
    def call_timeout(self) -> timedelta:
        """The time of one call, as the SDK takes it."""
        return timedelta(seconds=self.call_seconds)


USER = Patience(ClientKind.USER, 60, RPC_TIMEOUT.total_seconds(), is_repeating=True)
"""A minute: longer than any outage that the gates allow."""
PROBE = Patience(ClientKind.PROBE, 1, 1, is_repeating=False)
PATIENCE = {patience.kind: patience for patience in (USER, PROBE)}


@dataclass(frozen=True)
class Answer(Generic[_T]):
    """What a client says of an operation."""

    outcome: Outcome
    attempts: int
    """Calls of the client, those of the SDK within one not counted."""
    value: _T | None = None
    error: str = ""
    """Status of the last call; empty when acknowledged."""


Send = Callable[[Patience], Awaitable[_T]]
"""Makes one call; the same call each time, by its request id."""


async def ask(send: Send[_T], patience: Patience) -> Answer[_T]:
    """Make a call as the client does, until it is acknowledged, certainly refused, or the deadline is over."""
    attempts, error = 0, ""
    try:
        # The SDK's own trying again outlasts our deadline, so that is kept here.
        async with asyncio.timeout(patience.deadline_seconds):
            while True:
                attempts += 1
                try:
                    return Answer(Outcome.OK, attempts, await send(patience))
                except (RPCError, RPCTimeoutOrCancelledError) as problem:
                    error = status_of(problem)
                    if not (patience.is_repeating and _may_mend(problem)):
                        return Answer(outcome_of(problem, patience), attempts, error=error)
                await asyncio.sleep(patience.pause_seconds)
    except TimeoutError:
        # Of several calls at least one may have arrived.
        return Answer(Outcome.UNKNOWN, attempts, error=error or RPCStatusCode.DEADLINE_EXCEEDED.name)
    except (WorkflowFailureError, WorkflowUpdateFailedError) as problem:
        # Answered, though not with what was wanted: the checker judges whether it should have been.
        return Answer(Outcome.FAILED, attempts, error=failure_type(problem))


def outcome_of(problem: BaseException, patience: Patience) -> Outcome:
    """Class a call that was not acknowledged."""
    refusals = _REFUSALS if patience.is_repeating else _REFUSALS_OF_ONE_CALL
    return Outcome.FAILED if isinstance(problem, RPCError) and problem.status in refusals else Outcome.UNKNOWN


def status_of(problem: BaseException) -> str:
    """Return the gRPC status of a call that was not acknowledged, such as `UNAVAILABLE`."""
    return problem.status.name if isinstance(problem, RPCError) else RPCStatusCode.DEADLINE_EXCEEDED.name


def failure_type(problem: WorkflowFailureError | WorkflowUpdateFailedError) -> str:
    """Return what kind of failure a workflow or an update ended with."""
    cause = problem.cause
    return str(getattr(cause, "type", None) or type(cause).__name__)


def _may_mend(problem: BaseException) -> bool:
    return isinstance(problem, RPCTimeoutOrCancelledError) or is_transient(problem)


@dataclass(frozen=True)
class Clients:
    """Connections of one process."""

    user: Client
    """Where the teams connect."""
    probes: dict[str, Client]
    """One connection for each zone's load balancer, by zone."""
    addresses: dict[str, str]
    """Of the probes' connections, by zone."""

    @classmethod
    async def connect(cls, target: Target) -> Clients:
        """Connect to every address of the target, each once.

        Raises:
            LoadTestError: When an address does not answer, or the keyring cannot be used.
        """
        user = await _connect(target, target.address)
        addresses = dict(target.zone_addresses)
        probes = {zone: await _connect(target, address) for zone, address in addresses.items()}
        return cls(user, probes, addresses)

    async def follow(self, target: Target, addresses: Mapping[str, str]) -> list[str]:
        """Have probes ask where their zone's load balancer now is; return the zones whose connection is another.

        One that does not answer yet is left for the next time.
        """
        moved: list[str] = []
        for zone in self.probes:
            address = addresses.get(zone, self.addresses[zone])
            if address == self.addresses[zone]:
                continue
            with contextlib.suppress(LoadTestError):
                self.probes[zone] = await _connect(target, address)
                self.addresses[zone] = address
                moved.append(zone)
        return moved


async def _connect(target: Target, address: str) -> Client:
    environment = {"TEMPORAL_ADDRESS": address}
    if target.keyring_file:
        environment["ROUTERFLEET_KEYRING_FILE"] = str(target.keyring_file)
    try:
        return await connect(environment, namespace=target.tenants.shared_namespace)
    except (RuntimeError, UsageError) as error:
        raise LoadTestError(
            f"stack {target.stack}: Temporal at {address} cannot be reached: {error}"
        ) from error
