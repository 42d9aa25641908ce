"""`python -m lab image`: the worker's image as an archive, and in a registry."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from lab import paths
from lab.images import builder, push
from lab.toolchain.progress import default_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is every command's."""
    parser.add_argument("--output", type=Path, metavar="FILE", help="write an OCI archive to FILE")
    parser.add_argument("--push", metavar="REGISTRY/REPOSITORY", help="push to a registry")


def run(_state: object, arguments: argparse.Namespace) -> int:
    """Build the worker's image, write it, push it; without options write it below `build/`.

    Raises:
        LabError: The destination is malformed, a prerequisite is missing, or a step failed.
    """
    destination: str | None = arguments.push
    output: Path | None = arguments.output
    if destination:
        push.parse(destination)  # refuse before anything is built
    progress = default_progress()
    (image,) = builder.build(["worker"], progress)
    result = {"name": image.name, "digest": image.digest}
    if output or not destination:
        file = output or _default_output(image.name)
        push.write(image, file)
        result["archive"] = str(file)
    if destination:
        result["pushed"] = push.push(image, destination, progress)
    print(
        json.dumps(result)
        if arguments.json
        else "\n".join(f"{key}: {value}" for key, value in result.items())
    )
    return 0


def _default_output(name: str) -> Path:
    folder = paths.checkout_dir() / "build"
    folder.mkdir(exist_ok=True)
    return folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
