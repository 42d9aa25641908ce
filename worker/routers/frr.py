"""Driver of FRR routers over SSH: `frr_agent` runs on the router, this module plans, asks and judges.

What a router needs: an SSH server, Python 3.8 and a user who may use `vtysh` and save with it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, cast

from worker.errors import (
    ChangeHalfAppliedError,
    ChangeRevertedError,
    ChangeWithdrawnError,
    DriverMisusedError,
    RouterDriftedError,
    RouterError,
    RouterUnreachableError,
)
from worker.models.deployment import CheckSpec
from worker.routers import frr_agent, ssh
from worker.routers.credentials import CredentialStore
from worker.routers.driver import (
    BGP_SESSION,
    CONFIGURATION,
    INTERFACE,
    ROUTE,
    SETTLE_SECONDS,
    Change,
    Check,
    Confirmation,
    RouterState,
    Undo,
    Undone,
)
from worker.routers.inventory import RouterRecord
from worker.routers.planner import plan

PLATFORM = "frr"
_COMMAND = "python3 -I -"
_LOOK_SECONDS = 1.0
"""Between looks at a check that has not come true; each costs the router some 50 ms of processor time."""
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,63}")
_ERRORS: Mapping[str, type[RouterError]] = {
    "drifted": RouterDriftedError,
    "half-applied": ChangeHalfAppliedError,
    "withdrawn": ChangeWithdrawnError,
    "reverted": ChangeRevertedError,
    "unavailable": RouterUnreachableError,
}


class FrrDriver:
    """Configures FRR through its own shell, `vtysh`."""

    checks = frozenset({CONFIGURATION, BGP_SESSION, ROUTE, INTERFACE})

    def __init__(self, credentials: CredentialStore) -> None:
        self._credentials = credentials

    async def read(self, router: RouterRecord) -> RouterState:
        """See `Driver.read`. An FRR router does not know whose it is, so the inventory's word is taken."""
        answer = await self._ask(router, "read")
        return RouterState(router.name, router.tenant, PLATFORM, answer["revision"], tuple(answer["running"]))

    async def apply(self, change: Change) -> str:
        """See `Driver.apply`."""
        state = await self.read(change.router)
        # On a repetition the router runs something else by now, and says what became of the first attempt.
        is_expected = state.revision == change.expected_revision
        answer = await self._ask(
            change.router,
            "apply",
            key=change.idempotency_key,
            expected_revision=change.expected_revision,
            commands=plan(PLATFORM, state.running, change.lines) if is_expected else None,
            confirm_seconds=change.confirm_seconds,
        )
        return str(answer["revision"])

    async def confirm(self, confirmation: Confirmation) -> str:
        """See `Driver.confirm`; also saves the configuration, so that it outlives the router's power."""
        answer = await self._ask(confirmation.router, "confirm", change_key=confirmation.change_key)
        return str(answer["revision"])

    async def undo(self, undo: Undo) -> Undone:
        """See `Driver.undo`. The router has kept the backup that it made when the change arrived."""
        answer = await self._ask(undo.router, "undo", change_key=undo.change_key)
        return Undone(str(answer["revision"]), bool(answer["is_restored"]))

    async def check(
        self, router: RouterRecord, lines: tuple[str, ...], checks: tuple[CheckSpec, ...]
    ) -> tuple[Check, ...]:
        """See `Driver.check`."""

        async def look() -> tuple[Check, ...]:
            state = await self.read(router)
            return (check_configuration(state.running, lines), *await self._look(router, checks))

        return await _settled(look)

    async def check_declared(self, router: RouterRecord, checks: tuple[CheckSpec, ...]) -> tuple[Check, ...]:
        """Return the declared checks alone, waiting as `check` does: for a router that nobody changes."""
        return await _settled(lambda: self._look(router, checks))

    async def ledger(self, router: RouterRecord) -> tuple[Mapping[str, Any], ...]:
        """Return what the router remembers to have done, in order: `kind`, `key` of the change, and `at`."""
        return tuple((await self._ask(router, "ledger"))["events"])

    async def _look(self, router: RouterRecord, checks: tuple[CheckSpec, ...]) -> tuple[Check, ...]:
        questions = {check: question(check) for check in checks if check.kind != CONFIGURATION}
        asked = [command for command in questions.values() if command]
        answers: list[str] = (await self._ask(router, "show", commands=asked))["answers"] if asked else []
        by_command = dict(zip(asked, answers, strict=True))
        return tuple(judge(check, by_command.get(command, "")) for check, command in questions.items())

    async def _ask(self, router: RouterRecord, operation: str, **values: object) -> dict[str, Any]:
        """Have the router do one operation of `frr_agent`.

        Raises:
            RouterError: As the agent answers, or as `ssh.run`.
        """
        credentials = self._credentials.read(router.name, router.credentials)
        request = json.dumps({"operation": operation, **values})
        text = f"{_agent()}\nmain({request!r})\n"
        said = await ssh.run(router, credentials, _COMMAND, text)
        try:
            answer = cast("dict[str, Any]", json.loads(said))
        except ValueError as error:
            raise RouterUnreachableError(router.name, f"{operation} was answered by {said[:80]!r}") from error
        if kind := answer.get("error"):
            raise _ERRORS.get(str(kind), DriverMisusedError)(router.name, str(answer.get("detail", kind)))
        return answer


async def _settled(look: Callable[[], Awaitable[tuple[Check, ...]]]) -> tuple[Check, ...]:
    """Look until every check has passed, or for `SETTLE_SECONDS`; return the last look."""
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        results = await look()
        left_seconds = deadline - asyncio.get_running_loop().time()
        if all(result.is_passed for result in results) or left_seconds <= 0:
            return results
        await asyncio.sleep(min(_LOOK_SECONDS, left_seconds))


@cache
def _agent() -> str:
    return resources.files(__package__ or "").joinpath("frr_agent.py").read_text(encoding="utf-8")


def check_configuration(running: Sequence[str], desired: Sequence[str]) -> Check:
    """Judge whether nothing is left to do; FRR's own order of lines does not matter."""
    left = plan(PLATFORM, frr_agent.normalise(running), frr_agent.normalise(desired))
    return Check(
        CONFIGURATION, not left, f"still to do: {'; '.join(line.strip() for line in left)}" if left else ""
    )


def question(check: CheckSpec) -> str:
    """Return the command whose answer decides a check; empty when its target cannot be one.

    What goes into a command is parsed first, so that no check can smuggle in another command.
    """
    try:
        if check.kind == BGP_SESSION:
            return f"show bgp neighbors {ipaddress.ip_address(check.target)} json"
        if check.kind == ROUTE:
            network = ipaddress.ip_network(check.target)
            return f"show {'ip' if network.version == 4 else 'ipv6'} route {network} json"
    except ValueError:
        return ""
    return f"show interface {check.target} json" if _INTERFACE.fullmatch(check.target) else ""


def judge(check: CheckSpec, answer: str) -> Check:
    """Judge a declared check by the router's answer."""
    try:
        values = cast("dict[str, Any]", json.loads(answer or "{}"))
    except ValueError:
        values = {}
    detail = _FINDINGS[check.kind](check.target, values)
    return Check(str(check), not detail, detail)


def _session(neighbour: str, values: Mapping[str, Any]) -> str:
    state = values.get(neighbour, {}).get("bgpState")
    if state == "Established":
        return ""
    reason = values.get(neighbour, {}).get("lastErrorCodeSubcode") and values[neighbour].get(
        "lastNotificationReason"
    )
    return f"session is {state}{f', {reason}' if reason else ''}" if state else "no such neighbour"


def _route(prefix: str, values: Mapping[str, Any]) -> str:
    routes: list[Mapping[str, Any]] = values.get(prefix, [])
    is_used = any(route.get("selected") and route.get("installed") for route in routes)
    return "" if is_used else "route is not installed" if routes else "no such route"


def _interface(name: str, values: Mapping[str, Any]) -> str:
    state = values.get(name, {})
    is_up = state.get("administrativeStatus") == "up" and state.get("operationalStatus") == "up"
    if is_up:
        return ""
    return f"is {state.get('operationalStatus')}" if state else "no such interface"


_FINDINGS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    BGP_SESSION: _session,
    ROUTE: _route,
    INTERFACE: _interface,
}
"""For each kind of check: what speaks against it, empty when nothing does."""
