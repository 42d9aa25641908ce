"""`python -m worker.bench NAME [options]`: run one benchmark.

Exit codes: 0 PASS, 1 FAIL or broken, 2 bad input, 3 INVALID (the measurement itself was not good), 4 INCONCLUSIVE.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil
import signal
import sys
from types import ModuleType

import worker.bench
from worker.demo.embedded import EmbeddedError
from worker.errors import UsageError
from worker.leaving import leave

EXIT_BROKEN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main() -> int:
    """Run the benchmark that the command line names; return the process's exit code."""
    modules = _benchmarks()
    options = _parser(modules).parse_args()
    try:
        return asyncio.run(_run(modules[options.benchmark], options))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


async def _run(benchmark: ModuleType, options: argparse.Namespace) -> int:
    """Run it; a SIGTERM ends what it has started, as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await benchmark.run(options)


def _benchmarks() -> dict[str, ModuleType]:
    """Return every benchmark by name: the modules of this package that can be run."""
    names = [name for _, name, is_package in pkgutil.iter_modules(worker.bench.__path__) if not is_package]
    modules = {
        name: importlib.import_module(f"worker.bench.{name}") for name in names if not name.startswith("_")
    }
    return {name: module for name, module in modules.items() if hasattr(module, "add_arguments")}


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker.bench",
        description="Benchmarks of the worker package; everything they need runs on this machine's loopback.",
        epilog="Exit codes: 0 PASS, 1 FAIL or broken, 2 bad input, 3 INVALID, 4 INCONCLUSIVE.",
    )
    commands = parser.add_subparsers(dest="benchmark", required=True)
    for name, module in modules.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
    return parser


if __name__ == "__main__":
    leave(main())
