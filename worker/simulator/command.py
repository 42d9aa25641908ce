"""The simulator's command line."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path

from aiohttp import web

from worker.errors import UsageError
from worker.settings import Address
from worker.simulator.service import Service
from worker.simulator.store import Store

LEDGER_FILE = "simulator.sqlite3"


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.simulator", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="folder of the ledger file")
    options = parser.parse_args()
    try:
        address = Address.parse("--listen", options.listen)
        store = _open(options.data)
        web.run_app(
            Service(store).application(), host=address.host, port=address.port, print=None, access_log=None
        )
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"--listen: {options.listen} cannot be listened on: {error.strerror or error}\n")
        return 1
    return 0


def _open(folder: Path) -> Store:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Store(folder / LEDGER_FILE)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"--data: {folder} cannot hold the ledger: {error}") from error
