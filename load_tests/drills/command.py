"""The commands that are about drills: `drill`, `drills`, `verdict`, `table` and `export`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from load_tests.drills import published, results
from load_tests.drills.catalogue import ROOT, find, load_all
from load_tests.drills.drill import Drill, Limits
from load_tests.drills.engine import Engine
from load_tests.drills.export import FORMAT, FORMATS, experiment
from load_tests.drills.fingerprint import stack_hash
from load_tests.drills.live import showing_on
from load_tests.drills.report import write_page
from load_tests.drills.series import Request, Series, default_folder, interrupted
from load_tests.drills.site import site_of
from load_tests.drills.summary import table_of, worst
from load_tests.errors import LoadTestError
from load_tests.stack import aimed_at
from worker.bench.support.verdict import Verdict

_STACK = "local"
Commands = Any
"""What `add_subparsers` returns; its class has no public name."""


def add_parsers(commands: Commands) -> None:
    """Add the commands to the command line."""
    _add_drill(commands.add_parser("drill", help="failover drills, with their verdicts"))
    listing = commands.add_parser("drills", help="what can be drilled")
    _add_stack(listing)
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    verdict = commands.add_parser("verdict", help="what a series of drills came to; the exit code is its")
    verdict.add_argument("folder", type=Path)
    verdict.add_argument("--if-any", action="store_true", help="exit with 0 where there is none yet")
    verdict.add_argument("--json", action="store_true")
    verdict.set_defaults(run=_verdict)
    table = commands.add_parser("table", help="generate docs/drills/README.md from the results kept")
    table.set_defaults(run=_table)
    export = commands.add_parser("export", help="print a drill in another tool's format")
    export.add_argument("name", metavar="NAME")
    export.add_argument("--format", choices=FORMATS, default=FORMAT)
    _add_stack(export)
    export.set_defaults(run=_export)


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default=_STACK, help=f"Pulumi stack; default: {_STACK}")


def _add_drill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="see `drills`")
    parser.add_argument("--release", action="store_true", help="the release set")
    _add_stack(parser)
    parser.add_argument("--repeat", type=int, default=1, help="how often each; default: 1")
    parser.add_argument("--output", type=Path, help="folder of the series; default: build/drills/<time>-...")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with an interrupted series")
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew, also where the same series was interrupted"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done; touch nothing")
    parser.add_argument("--no-keep", action="store_true", help="keep no results under docs/drills/results")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON list")
    parser.set_defaults(run=_drill)


def _drill(options: argparse.Namespace) -> int:
    drills = load_all(Series.resume(options.resume).request.stack if options.resume else options.stack)
    if options.dry_run:
        return _plan([find(name, drills) for name in _request(options, drills).drills], options)
    console = Console(stderr=True, quiet=options.json)
    series = _series(options, drills, console)
    for name in series.request.drills:
        find(name, drills)
    is_kept = not options.no_keep
    asyncio.run(_run(series, drills, console, is_kept=is_kept))
    return _tell(series, is_json=options.json)


def _request(options: argparse.Namespace, drills: dict[str, Drill]) -> Request:
    names = [name for name, drill in drills.items() if drill.is_release] if options.release else options.names
    if options.release and options.names:
        raise LoadTestError("drill: name drills or give --release, not both")
    if not names:
        raise LoadTestError(
            "drill: NAME is missing; python -m load_tests drills lists them, --release is a set"
        )
    if options.repeat < 1:
        raise LoadTestError(f"--repeat: {options.repeat} must be 1 or more")
    for name in names:
        find(name, drills)
    return Request(options.stack, tuple(names), options.repeat, stack_hash(ROOT, options.stack))


def _series(options: argparse.Namespace, drills: dict[str, Drill], console: Console) -> Series:
    if options.resume:
        return Series.resume(options.resume)
    request = _request(options, drills)
    found = None if options.fresh or options.output else interrupted(request)
    if found is None:
        return Series.begin(options.output or default_folder(request), request)
    done = len(request.parts()) - len(found.missing())
    console.print(
        f"Going on with {found.folder}: {done} of {len(request.parts())} are done (--fresh begins anew)",
        highlight=False,
    )
    return found


async def _run(series: Series, drills: dict[str, Drill], console: Console, *, is_kept: bool) -> None:
    """Run what is missing of a series; Ctrl-C heals what is wrong and ends, and a second one leaves that to the guard."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task.cancel() if task else None)
    stack = series.request.stack

    async def run(name: str, folder: Path) -> None:
        # Aimed anew for each: a drill may have moved what it was aimed at.
        async with aimed_at(stack) as target:
            site = await asyncio.to_thread(site_of, target)
            engine = Engine(target, site, showing=showing_on(console))
            result = await engine.run(drills[name], folder)
        page = write_page(folder)
        if is_kept:
            published.keep(folder, ROOT)
        console.print(
            f"{name}: {result.judgement.verdict}: {'; '.join(result.judgement.reasons)} ({page or folder})",
            highlight=False, soft_wrap=True,
        )  # fmt: skip

    await series.run(run)


def _tell(series: Series, *, is_json: bool) -> int:
    found = series.results()
    if is_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        Console().print(table_of(found))
    return worst([Verdict(one["verdict"]) for one in found]).exit_code


def _plan(drills: list[Drill], options: argparse.Namespace) -> int:
    table = Table(
        "drill",
        "fault",
        "load",
        "seconds",
        "gates (goals)",
        title=f"on {options.stack}, {options.repeat} times each",
    )
    for drill in drills:
        table.add_row(
            drill.name,
            _fault(drill),
            f"{drill.scenario}, {drill.load.rate:g} per second",
            f"{drill.phases.total_seconds:g}",
            _limits(drill),
        )
    seconds = options.repeat * sum(drill.phases.total_seconds for drill in drills)
    if options.json:
        sys.stdout.write(
            json.dumps({"drills": [_values(drill) for drill in drills], "seconds": seconds}) + "\n"
        )
    else:
        table.caption = f"{seconds / 60:.0f} minutes of load, and about one for each drill besides"
        Console().print(table)
    return 0


def _list(options: argparse.Namespace) -> int:
    drills = load_all(options.stack)
    if options.json:
        sys.stdout.write(json.dumps({"drills": [_values(drill) for drill in drills.values()]}) + "\n")
        return 0
    table = Table("drill", "release set", "what it shows", "fault")
    for drill in drills.values():
        table.add_row(drill.name, "yes" if drill.is_release else "", drill.summary, _fault(drill))
    Console().print(table)
    return 0


def _verdict(options: argparse.Namespace) -> int:
    if options.if_any and not options.folder.exists():
        return 0
    return _tell(Series.resume(options.folder), is_json=options.json)


def _table(_: argparse.Namespace) -> int:
    path = ROOT / published.FOLDER / published.PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(published.generate(ROOT), encoding="utf-8")
    Console().print(f"{published.FOLDER / published.PAGE} is written", highlight=False)
    return 0


def _export(options: argparse.Namespace) -> int:
    drills = load_all(options.stack)
    sys.stdout.write(json.dumps(experiment(find(options.name, drills), options.stack), indent=1) + "\n")
    return 0


def _fault(drill: Drill) -> str:
    given = ", ".join(f"{key}={value}" for key, value in drill.fault.parameters.items())
    return f"{drill.fault.name} {given}".strip()


def _limits(drill: Drill) -> str:
    """Return the gates, each with its goal in brackets where there is one."""
    return ", ".join(
        f"{field.name} {gate:g}" + ("" if goal is None else f" ({goal:g})")
        for field in fields(Limits)
        if (gate := getattr(drill.gates, field.name)) is not None
        for goal in (getattr(drill.goals, field.name),)
    )


def _values(drill: Drill) -> dict[str, Any]:
    return results.plain(drill)
