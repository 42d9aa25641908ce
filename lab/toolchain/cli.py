"""`python -m lab toolchain`: make sure of tools and tell where they are."""

from __future__ import annotations

import argparse
import json

from lab.toolchain.installer import ensure
from lab.toolchain.table import BY_NAME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is every command's."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="tools to make sure of; without a name: all")


def run(_state: object, arguments: argparse.Namespace) -> int:
    """Make sure of the named tools and print a line for each: name, version, path.

    Raises:
        LabError: A name is unknown, a prerequisite is missing, or a build failed.
    """
    names: list[str] = arguments.names or list(BY_NAME)
    places = ensure(names)
    if arguments.json:
        print(
            json.dumps(
                {name: {"version": BY_NAME[name].version, "path": str(places[name])} for name in places}
            )
        )
    else:
        width = max(map(len, places))
        for name, path in places.items():
            print(f"{name:{width}}  {BY_NAME[name].version:10}  {path}")
    return 0
