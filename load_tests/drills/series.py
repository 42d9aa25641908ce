"""Several drills, several times: one folder each inside the series', and on with what is missing after an interrupt.

`series.json` says what was asked for; a part is done when its folder has `drill.json`, which is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from load_tests.drills import results
from load_tests.drills.junit import to_junit
from load_tests.errors import LoadTestError

FILE = "series.json"
JUNIT_FILE = "junit.xml"
RESULTS = Path("build/drills")


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        drills: Names, in order.
        repeat: How often each; all once before any is repeated.
        stack_hash: Of the stack when the series began: a series does not go on with another system.
    """

    stack: str
    drills: Sequence[str]
    repeat: int
    stack_hash: str

    def parts(self) -> list[tuple[str, str]]:
        """Return name of the folder and drill of each part, in order."""
        return [
            (f"{number * len(self.drills) + place + 1:02d}-{drill}-{number + 1}", drill)
            for number in range(self.repeat)
            for place, drill in enumerate(self.drills)
        ]


Run = Callable[[str, Path], Awaitable[None]]
"""Runs a drill by its name into a folder."""


class Series:
    """A series in its folder."""

    def __init__(self, folder: Path, request: Request) -> None:
        self.folder, self.request = folder, request

    @classmethod
    def begin(cls, folder: Path, request: Request) -> Series:
        """Begin one.

        Raises:
            LoadTestError: When the folder has files already.
        """
        if folder.exists() and any(folder.iterdir()):
            raise LoadTestError(
                f"--output: {folder} has files already; name a folder that is empty or not there"
            )
        folder.mkdir(parents=True, exist_ok=True)
        values = {**asdict(request), "drills": list(request.drills)}
        (folder / FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        return cls(folder, request)

    @classmethod
    def resume(cls, folder: Path) -> Series:
        """Take up one that was interrupted.

        Raises:
            LoadTestError: When there is none in the folder.
        """
        try:
            values = cast("dict[str, Any]", json.loads((folder / FILE).read_text(encoding="utf-8")))
            values["drills"] = tuple(values["drills"])
            return cls(folder, Request(**values))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LoadTestError(f"--resume: {folder} has no series of drills ({error})") from error

    def missing(self) -> list[tuple[str, str]]:
        """Return the parts that are not done, as `Request.parts`."""
        return [part for part in self.request.parts() if not (self.folder / part[0] / results.FILE).exists()]

    async def run(self, run: Run) -> None:
        """Run what is missing."""
        for name, drill in self.missing():
            folder = self.folder / name
            if folder.exists():
                # What an interrupted drill left; the guard has healed its fault, as its journal says.
                _put_aside(folder)
            await run(drill, folder)
            self.write_junit()

    def results(self) -> list[dict[str, Any]]:
        """Return the results so far, in order."""
        paths = [self.folder / name / results.FILE for name, _ in self.request.parts()]
        return [results.read(path) for path in paths if path.exists()]

    def write_junit(self) -> None:
        """Write all results so far as JUnit XML."""
        (self.folder / JUNIT_FILE).write_text(to_junit(self.results()), encoding="utf-8")


def interrupted(request: Request, results_folder: Path = RESULTS) -> Series | None:
    """Return the youngest series of the same request that is not done; None: there is none."""
    for path in sorted(results_folder.glob(f"*/{FILE}"), reverse=True):
        try:
            series = Series.resume(path.parent)
        except LoadTestError:
            continue  # of another form, so of nobody who could go on with it
        is_same = asdict(series.request) == {**asdict(request), "drills": tuple(request.drills)}
        if is_same:
            return series if series.missing() else None
    return None


def default_folder(request: Request) -> Path:
    """Return where a series goes unless somebody says otherwise."""
    name = request.drills[0] if len(request.drills) == 1 else "series"
    return RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}"


def _put_aside(folder: Path) -> None:
    """Move what an interrupted drill left out of the way; only the last such try is kept."""
    aside = folder.with_name(f"{folder.name}.interrupted")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
