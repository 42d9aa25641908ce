"""What the demo shows on real routers after the deployments: their sessions, and a wrong change that leaves them standing."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from worker.demo.deployments import Deployment, with_wrong_neighbour
from worker.demo.display import display
from worker.demo.fleets import FrrFleet, Session
from worker.demo.watch import State, watch
from worker.models.deployment import Phase
from worker.tenancy import TenantsFile


@dataclass(frozen=True)
class Proof:
    """Sessions before and after a change with a wrong neighbour, and what became of that change."""

    before: tuple[Session, ...]
    wrong: State
    after: tuple[Session, ...]

    @property
    def is_good(self) -> bool:
        """Whether every session stood, the wrong change was rolled back, and every session stands again."""
        sessions = (*self.before, *self.after)
        return self.wrong.phase is Phase.ROLLED_BACK and all(session.is_up for session in sessions)


async def prove(
    client: Client,
    tenants: TenantsFile,
    deployments: tuple[Deployment, ...],
    fleet: FrrFleet,
    console: Console,
) -> Proof:
    """Show the sessions, deploy a wrong neighbour to the first router, and show the sessions again."""
    before = await fleet.sessions(deployments)
    console.print(_table("Sessions with the provider", before))
    wrong = with_wrong_neighbour(deployments[0])
    console.print(
        f"Now a change of {wrong.request.router} that gives its neighbour a wrong AS number,"
        f" {wrong.request.variables['provider_asn']}: its session cannot come up ..."
    )
    with display(console, []) as show:
        (state,) = await watch(client, tenants, (wrong,), fleet, show)
    console.print(f"{state.phase}: {state.failure}", highlight=False, soft_wrap=True)
    after = await fleet.sessions(deployments)
    console.print(_table("Sessions after the roll-back", after))
    return Proof(before, state, after)


def _table(title: str, sessions: tuple[Session, ...]) -> Table:
    result = Table(title=title, title_justify="left")
    for heading in ("Router", "Holds", "By the router's own account"):
        result.add_column(heading, no_wrap=heading == "Router")
    for session in sessions:
        colour = "green" if session.is_up else "red"
        answer = "Established, route installed" if session.is_up else session.detail
        result.add_row(session.router, session.checks, f"[{colour}]{answer}[/]")
    return result
