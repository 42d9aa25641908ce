"""`python -m lab routers`: real FRR routers up, down, status, and what a worker's environment needs to reach them."""

from __future__ import annotations

import argparse
import json
import shlex

from lab.cluster import requirements
from lab.errors import LabError
from lab.progress import Steps
from lab.routers import fleet, network
from lab.routers.layout import COUNT_MAX
from lab.routers.state import State


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is every command's."""
    parser.add_argument("action", choices=("up", "down", "status", "env"))
    parser.add_argument(
        "--count",
        type=int,
        default=6,
        metavar="N",
        help="customers' routers besides the provider edge (default 6)",
    )


def run(_state: object, arguments: argparse.Namespace) -> int:
    """Do one action and print the routers; exit code 1 where `status` finds them not up.

    Raises:
        LabError: A value cannot be used, or something that the user can mend is in the way.
    """
    if not 1 <= arguments.count <= COUNT_MAX:
        raise LabError(f"--count: {arguments.count} must be from 1 to {COUNT_MAX}")
    state = State()
    if arguments.action == "env":
        _print_environment(state, is_json=arguments.json)
        return 0
    if arguments.action != "status":
        requirements.check_root()
        with state.lock():
            if arguments.action == "up":
                fleet.up(state, arguments.count, Steps(quiet=arguments.json))
            else:
                fleet.down(state, Steps(quiet=arguments.json))
                print(json.dumps({"is_up": False}) if arguments.json else "the routers are down")
                return 0
    return _show(state, is_json=arguments.json)


def join_cluster() -> None:
    """Let a cluster that has just come up reach the routers, if there are any."""
    network.join_cluster()


def down(steps: Steps) -> None:
    """Remove the routers with the rest of the lab; does nothing where there are none.

    Raises:
        LabError: Another command is at work on them, or something would not go.
    """
    state = State()
    if state.root.exists():
        with state.lock():
            fleet.down(state, steps)


def _print_environment(state: State, *, is_json: bool) -> None:
    if not state.inventory.exists():
        raise LabError("there are no routers: run `python -m lab routers up`")
    variables = {
        "ROUTERFLEET_INVENTORY_FILE": str(state.inventory),
        "ROUTERFLEET_CREDENTIALS_FOLDER": str(state.credentials),
    }
    lines = (f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    print(json.dumps(variables, indent=1) if is_json else "\n".join(lines))


def _show(state: State, *, is_json: bool) -> int:
    status = fleet.status(state)
    lines = [
        "{name:8}{tenant:10}{address:14}power {power}  session {session}  {routes}".format(
            **{**row, "routes": " ".join(row["routes"])}
        )
        for row in status["routers"]
    ]
    if status["routers"]:
        lines += [f"inventory: {status['inventory']}", f"credentials: {status['credentials']}"]
    else:
        lines = ["there are no routers: python -m lab routers up"]
    print(json.dumps(status, indent=1) if is_json else "\n".join(lines))
    return 0 if status["is_up"] else 1
