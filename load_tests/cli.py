"""The command line: runs, drills, what there is of both, reports, and what the generator itself can do.

Exit codes: 0 PASS, 1 FAIL, 2 bad input, 3 INVALID (the measurement itself was not good), 4 INCONCLUSIVE,
130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from load_tests.arrivals import SHAPES
from load_tests.drills import command as drills
from load_tests.errors import LoadTestError
from load_tests.runs.ceiling import measure_ceiling
from load_tests.runs.comparison import compare_loops
from load_tests.runs.execution import LoadRun, RunResult
from load_tests.runs.report import read_run, write_report
from load_tests.runs.settings import RunSettings, parse_duration
from load_tests.runs.watching import latency_table, watch
from load_tests.scenarios.catalog import SCENARIOS, summary
from load_tests.stack import DEV, aimed_at
from worker.bench.support.verdict import Verdict
from worker.demo.embedded import EmbeddedError
from worker.errors import UsageError

EXIT_BROKEN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (LoadTestError, UsageError) as error:
        sys.stderr.write(f"load_tests: {error}\n")
        return EXIT_USAGE
    except EmbeddedError as error:
        sys.stderr.write(f"load_tests: {error}\n")
        return EXIT_BROKEN
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m load_tests", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="one load-test run, with its verdict"))
    listing = commands.add_parser("list", help="what can be run")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    report = commands.add_parser("report", help="make the page of a run anew, and print its verdict")
    report.add_argument("folder", type=Path)
    report.add_argument("--json", action="store_true")
    report.set_defaults(run=_report)
    drills.add_parsers(commands)
    ceiling = commands.add_parser("ceiling", help="how much one generator process can send, and how exactly")
    ceiling.add_argument("--seconds", type=float, default=5, help="of each step; default: 5")
    ceiling.add_argument("--json", action="store_true")
    ceiling.set_defaults(run=_ceiling)
    compare = commands.add_parser(
        "compare-loops", help="the p99 that an open and a closed loop report for the same stall"
    )
    compare.add_argument("--rate", type=float, default=20, help="operations per second; default: 20")
    compare.add_argument("--stall", type=float, default=10, help="seconds of standstill; default: 10")
    compare.add_argument("--seconds", type=float, default=60, help="of the measurement; default: 60")
    compare.add_argument("--json", action="store_true")
    compare.set_defaults(run=_compare)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument(
        "--stack", default=DEV, help="Pulumi stack, or dev: Temporal's dev server; default: dev"
    )
    parser.add_argument(
        "--rate", type=float, default=5, help="operations per second of all tenants; default: 5"
    )
    parser.add_argument("--duration", default="60s", help="for example 90s or 10m; default: 60s")
    parser.add_argument(
        "--shape",
        default=RunSettings.shape,
        help=f"{', '.join(SHAPES)}, with :key=value,...; default: poisson",
    )
    parser.add_argument("--tenants", default="", help="TENANT=WEIGHT,...; default: all alike")
    parser.add_argument("--seed", type=int, default=RunSettings.seed, help="default: 1")
    parser.add_argument(
        "--processes", type=int, default=RunSettings.processes, help="of the generator; default: 1"
    )
    parser.add_argument(
        "--cap", type=int, default=RunSettings.cap, help="operations under way in each process; default: 2000"
    )
    parser.add_argument(
        "--probe-rate",
        type=float,
        default=RunSettings.probe_rate,
        help="probes per second and zone; default: 2",
    )
    parser.add_argument(
        "--result-seconds",
        type=float,
        default=RunSettings.result_seconds,
        help="how long workflows may take to end afterwards; default: 120",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=NUMBER", help="a number of the scenario; see list"
    )
    parser.add_argument(
        "--output", type=Path, help="folder of the results; default: build/load/<time>-<scenario>"
    )
    parser.add_argument("--json", action="store_true", help="print what run.json holds instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    settings = RunSettings(
        scenario=options.scenario,
        stack=options.stack,
        rate=options.rate,
        seconds=parse_duration(options.duration),
        shape=options.shape,
        mix=options.tenants,
        seed=options.seed,
        processes=options.processes,
        cap=options.cap,
        probe_rate=options.probe_rate,
        result_seconds=options.result_seconds,
        options=tuple(options.set),
    )
    folder = options.output or _default_folder(settings.scenario)
    if folder.exists() and any(folder.iterdir()):
        raise LoadTestError(f"--output: {folder} has files already; name a folder that is empty or not there")
    result = asyncio.run(_execute(settings, folder, Console(stderr=True, quiet=options.json)))
    page = write_report(folder)
    _tell(result.to_json(), page, is_json=options.json)
    return EXIT_INTERRUPTED if result.is_interrupted else result.judgement.verdict.exit_code


async def _execute(settings: RunSettings, folder: Path, console: Console) -> RunResult:
    """Run; the first Ctrl-C ends the sending and keeps what there is, the second ends everything."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task.cancel() if task else None)
    console.print(f"Getting {settings.stack} and the generator ready ...")
    async with aimed_at(settings.stack) as target, LoadRun(settings, target, folder) as run:
        loop.add_signal_handler(signal.SIGINT, lambda: _interrupt(run, task))
        begin = run.start()
        showing = asyncio.create_task(
            watch(console, run.progress, len(run.due), lambda: run.clock.now() - begin, settings.seconds)
        )
        try:
            await run.wait()
        finally:
            showing.cancel()
        console.print("Checking what the store holds ...")
        return await run.conclude()


def _interrupt(run: LoadRun, task: asyncio.Task[Any] | None) -> None:
    if run.is_interrupted and task is not None:
        task.cancel()
    run.interrupt()


def _tell(values: dict[str, Any], page: Path, *, is_json: bool) -> None:
    if is_json:
        sys.stdout.write(json.dumps(values) + "\n")
        return
    console = Console()
    console.print(latency_table(values["summary"]["latencies"]))
    console.print(f"{values['verdict']}: {'; '.join(values['reasons'])}", highlight=False, soft_wrap=True)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def _list(options: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = [
        {"name": name, "summary": summary(scenario), "numbers": dict(scenario.defaults)}
        for name, scenario in SCENARIOS.items()
    ]
    if options.json:
        sys.stdout.write(json.dumps({"scenarios": found, "shapes": list(SHAPES)}) + "\n")
        return 0
    table = Table("scenario", "what it is", "--set")
    for item in found:
        table.add_row(
            item["name"],
            item["summary"],
            ", ".join(f"{key}={value:g}" for key, value in item["numbers"].items()),
        )
    Console().print(table)
    return 0


def _report(options: argparse.Namespace) -> int:
    page = write_report(options.folder)
    values = read_run(options.folder)
    _tell(values, page, is_json=options.json)
    return Verdict(values["verdict"]).exit_code


def _ceiling(options: argparse.Namespace) -> int:
    return asyncio.run(measure_ceiling(options.seconds, Console(stderr=True), is_json=options.json))


def _compare(options: argparse.Namespace) -> int:
    return asyncio.run(
        compare_loops(
            options.rate, options.seconds, options.stall, Console(stderr=True), is_json=options.json
        )
    )


def _default_folder(scenario: str) -> Path:
    return Path("build/load") / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{scenario}"
