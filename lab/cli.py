"""The lab's command line: arguments in, one call, text or JSON out. What a command does is elsewhere.

Exit codes: 0 done, 1 the answer is no (`status` of a lab that is not up), 2 a problem that the message
names, 130 interrupted.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import math
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab import environment, toolchain
from lab.cluster import faults, guests, healers, lifecycle, mechanisms, requirements
from lab.cluster.fault import Fault, Kind
from lab.cluster.layout import CONTROL, NODES, Machine, Node, node_in
from lab.cluster.state import State
from lab.errors import LabError
from lab.images import cli as images_cli
from lab.progress import Steps
from lab.routers import cli as routers_cli
from lab.toolchain import cli as toolchain_cli

Command = Callable[[State, argparse.Namespace], int]
AddCommand = Callable[[str, Command, str], argparse.ArgumentParser]
HEAL_SECONDS_MAX = 24 * 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        args = _parser().parse_args(arguments)
        return args.run(State(), args)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"lab: {_failed_command(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lab: interrupted; the next `up` repairs what is half done", file=sys.stderr)
        return 130


def _failed_command(error: subprocess.CalledProcessError) -> str:
    said = error.stderr or ""
    lines = (said.decode(errors="replace") if isinstance(said, bytes) else said).strip().splitlines()
    command = error.cmd if isinstance(error.cmd, str) else shlex.join(map(str, error.cmd))
    return f"{command} failed with {error.returncode}" + (f": {lines[-1]}" if lines else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description=__doc__.splitlines()[0] if __doc__ else None
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        return command

    add("up", _up, "bring the cluster up, or repair it")
    add("status", _status, "show machines, zones and readiness; exit code 1 unless everything is up")
    add("env", _env, "print the environment for kubectl and pulumi, to be evaluated by a shell")
    add("down", _down, "remove the cluster and everything it left on this machine")
    logs = add("logs", _logs, "print the last lines of a machine's logs")
    logs.add_argument("node", metavar="NODE", help="node-a, node-b, node-c, control, or a guest's name")
    logs.add_argument("--lines", type=int, default=40, metavar="N", help="lines of each log (default 40)")
    _add_faults(add)
    outside = add("outside", _outside, "run a long-lived process on the host outside the zones (172.30.0.20)")
    outside.add_argument("action", choices=("start", "stop"))
    outside.add_argument("name", metavar="NAME")
    outside.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    routers_cli.add_arguments(add("routers", routers_cli.run, "real FRR routers: up, down, status"))
    toolchain_cli.add_arguments(add("toolchain", toolchain_cli.run, "find, build or install the tools"))
    images_cli.add_arguments(
        add("image", images_cli.run, "write the worker's image as an OCI archive, push it")
    )
    return parser


def _add_faults(add: AddCommand) -> None:
    zones, nodes = (", ".join(getattr(node, name) for node in NODES) for name in ("zone", "name"))
    off = add("power-off", _power_off, "cut the power of a zone: processes die, nothing answers any more")
    silence = add("silence", _silence, "drop every packet to and from a zone, whose machine runs on")
    freeze = add(
        "freeze", _freeze, "have every process of a node stand still; its kernel still takes connections"
    )
    stop = add("stop", _stop, "stop the API server")
    on = add("power-on", _power_on, "power a zone on and wait until its node is Ready")
    heal = add("heal", _heal, "undo every fault, or those of some machines, and wait until all is Ready")
    for command in (off, on, silence):
        command.add_argument("zone", metavar="ZONE", help=zones)
    only = silence.add_mutually_exclusive_group()
    only.add_argument(
        "--toward", metavar="ZONE", help="drop only what the zone sends to this one; the other way stays open"
    )
    only.add_argument(
        "--pod", metavar="ADDRESS", help="drop only the packets of the zone's pod with this address"
    )
    freeze.add_argument("zone", metavar="NODE", help=nodes)
    stop.add_argument("what", metavar="api", help="api: the API server; it is all that can be stopped")
    for command in (off, silence, freeze, stop):
        command.add_argument(
            "--for", dest="seconds", type=_seconds, metavar="SECONDS", help="heal by itself after this time"
        )
    heal.add_argument("machines", nargs="*", metavar="ZONE|api", help="whose faults (default: all)")


def _up(state: State, args: argparse.Namespace) -> int:
    with state.lock():
        requirements.check_root()
        faults.lift(state)
        lifecycle.up(state, Steps(quiet=args.json))
        environment.ensure_pulumi(state, toolchain.ensure(lifecycle.SHELL_TOOLS))
        routers_cli.join_cluster()
    return _status(state, args)


def _down(state: State, args: argparse.Namespace) -> int:
    with state.lock():
        lifecycle.down(state, Steps(quiet=args.json))
        routers_cli.down(Steps(quiet=args.json))
    _print(args, {"is_up": False}, "the lab is down")
    return 0


def _status(state: State, args: argparse.Namespace) -> int:
    status = lifecycle.status(state)
    status["faults"] = [
        {"fault": str(fault), "heals_at": healers.due(state, fault)} for fault in mechanisms.active(state)
    ]
    lines = [f"API server: {status['api']}   checkout: {status['checkout'] or '-'}"]
    lines += [
        "{zone}  {node}  {address}  power {power}  link {link}  ready {ready}".format(**row)
        for row in status["nodes"]
    ]
    lines.append(f"faults: {_told(status['faults'])}")
    lines.append(f"outside the zones: {', '.join(status['guests']) or '-'}")
    _print(args, status, "\n".join(lines))
    return 0 if status["is_up"] else 1


def _told(found: Sequence[Mapping[str, Any]]) -> str:
    texts: list[str] = []
    for one in found:
        left = (
            "stays" if one["heals_at"] is None else f"heals in {max(0, one['heals_at'] - time.time()):.0f} s"
        )
        texts.append(f"{one['fault']} ({left})")
    return ", ".join(texts) or "-"


def _env(state: State, args: argparse.Namespace) -> int:
    variables = environment.variables(state, toolchain.ensure(lifecycle.SHELL_TOOLS))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    _print(args, variables, "\n".join(lines))
    return 0


def _logs(state: State, args: argparse.Namespace) -> int:
    folders = [state.root / "machines" / args.node, state.guest(args.node)]
    files = [
        file
        for folder in folders
        for file in (folder / "console.log", *sorted((folder / "logs").glob("*.log")))
    ]
    files = [file for file in files if file.exists()]
    if not files:
        raise LabError(
            f"node: {args.node!r} has no logs; nodes are {', '.join(node.name for node in NODES)}, control"
        )
    texts = {file.stem: _tail(file, args.lines) for file in files}
    _print(args, texts, "\n".join(f"==> {name}\n{text}" for name, text in texts.items()))
    return 0


def _tail(file: Path, lines: int) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def _power_off(state: State, args: argparse.Namespace) -> int:
    fault = Fault(Kind.POWER_OFF, _zone(args.zone))
    return _inject(state, args, fault, f"{args.zone} is off")


def _silence(state: State, args: argparse.Namespace) -> int:
    if args.pod is not None:
        fault = Fault(Kind.SILENCE_POD, _zone(args.zone), pod=_address(args.pod))
        return _inject(state, args, fault, f"{args.pod} in {args.zone} is silent")
    toward = None if args.toward is None else _zone(args.toward)
    fault = Fault(Kind.SILENCE, _zone(args.zone), toward)
    who = f" for {toward.zone}" if toward else ""
    return _inject(state, args, fault, f"{args.zone} is silent{who}")


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise LabError(f"--pod: {text!r} is no address, such as 10.244.1.7") from None


def _freeze(state: State, args: argparse.Namespace) -> int:
    return _inject(state, args, Fault(Kind.FREEZE, _zone(args.zone)), f"{args.zone} is frozen")


def _stop(state: State, args: argparse.Namespace) -> int:
    if args.what != "api":
        raise LabError(f"stop: {args.what!r} cannot be stopped; api can")
    return _inject(state, args, Fault(Kind.STOP_API), "the API server is stopped")


def _inject(state: State, args: argparse.Namespace, fault: Fault, text: str) -> int:
    with _live(state):
        effect = faults.inject(state, fault, args.seconds)
    value = {"fault": str(fault), "zone": fault.node.zone if fault.node else None, **asdict(effect)}
    later = "" if args.seconds is None else f"; heals by itself after {args.seconds:g} s"
    _print(args, value, f"{text} ({effect.proof}){later}")
    return 0


def _power_on(state: State, args: argparse.Namespace) -> int:
    node = _zone(args.zone)
    with _live(state):
        faults.power_on(state, node)
    _print(args, {"zone": node.zone, "power": "on"}, f"{node.zone} is on and {node.name} is Ready")
    return 0


def _heal(state: State, args: argparse.Namespace) -> int:
    only = [_machine(name) for name in args.machines] or None
    # A heal that was already under way ends by itself, and this one is what somebody relies on.
    with _live(state, is_waiting=True):
        healed = [str(fault) for fault in faults.heal(state, only)]
    _print(args, {"healed": healed}, f"healed: {', '.join(healed) or 'nothing was wrong'}")
    return 0


def _outside(state: State, args: argparse.Namespace) -> int:
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if args.action == "start" and not command:
        raise LabError("outside start: name the command after --")
    with _live(state):
        if args.action == "stop":
            guests.stop(state, args.name)
            _print(args, {"name": args.name, "running": False}, f"{args.name} is stopped")
        else:
            log = guests.start(state, args.name, command)
            _print(
                args,
                {"name": args.name, "running": True, "log": str(log)},
                f"{args.name} runs; its log is {log}",
            )
    return 0


@contextmanager
def _live(state: State, *, is_waiting: bool = False) -> Iterator[None]:
    """Hold a lab that is up; where there is none nothing is made, not even the lock's file."""
    requirements.check_root()
    state.check_up()
    with state.lock(is_waiting=is_waiting):
        state.check_up()
        state.claim()
        yield


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= HEAL_SECONDS_MAX:
        raise LabError(f"--for: {text!r} is not a number of seconds above 0 and up to a day, such as 60")
    return seconds


def _zone(name: str) -> Node:
    try:
        return node_in(name)
    except KeyError as error:
        raise LabError(error.args[0]) from None


def _machine(name: str) -> Machine:
    return CONTROL if name == "api" else _zone(name)


def _print(args: argparse.Namespace, value: dict[str, Any], text: str) -> None:
    print(json.dumps(value, indent=1) if args.json else text)
