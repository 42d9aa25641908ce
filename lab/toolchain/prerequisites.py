"""What must be there before anything is built, checked all at once.

`plan` facts in, sentences out: `problems` is pure, `look` asks the machine.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import paths
from lab.toolchain import debian, run
from lab.toolchain.model import GoModule

_GO_DIRECTIVE = re.compile(r"^go (\d+(?:\.\d+)+)$", re.MULTILINE)
_AUTOMATIC_SINCE = "1.21"


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters here about the machine.

    Attributes:
        go_version: Version of the `go` on PATH, None without one.
        is_go_automatic: Whether go fetches a newer toolchain by itself when go.mod asks for it.
        free_mib: Free space where Go's caches are.
        go_cache: Folder of Go's build cache.
        package_obstacle: Why the missing Debian packages cannot be installed, None when they can.
        missing_programs: Programs of the Python environment that are not there.
    """

    go_version: str | None
    is_go_automatic: bool
    free_mib: int
    go_cache: str
    package_obstacle: str | None
    missing_programs: tuple[str, ...] = ()


def needed_go(modules: Sequence[GoModule]) -> str:
    """Return the lowest Go version that all `modules` accept, as their go.mod says."""
    versions = [_directive(module) for module in modules]
    return max(versions, key=lambda version: [int(part) for part in version.split(".")])


def needed_mib(modules: Sequence[GoModule]) -> int:
    """Return the space that a first build of `modules` takes."""
    return sum(module.disk_mib for module in modules)


def problems(modules: Sequence[GoModule], machine: Machine) -> list[str]:
    """Return one line per thing that is missing, each with what mends it."""
    lines: list[str] = []
    if modules:
        lines += _go_problems(needed_go(modules), machine)
        needed = needed_mib(modules)
        if machine.free_mib < needed:
            lines.append(
                f"disk: building {', '.join(module.folder for module in modules)} needs about {needed} MiB, "
                f"{machine.free_mib} MiB are free at {machine.go_cache}; free some, for instance by: go clean -cache"
            )
    if machine.package_obstacle:
        lines.append(machine.package_obstacle)
    lines += [
        f"{program} is not in the Python environment: pip install -r requirements/dev.txt"
        for program in machine.missing_programs
    ]
    return lines


def look(packages: Sequence[str], missing_programs: Sequence[str]) -> Machine:
    """Ask the machine."""
    reported = run.answer(["go", "env", "GOVERSION", "GOTOOLCHAIN", "GOCACHE"]) or ""
    version, toolchain, cache = [*reported.splitlines(), "", "", ""][:3]
    where = Path(cache or paths.cache_dir())
    return Machine(
        go_version=run.first_version(version),
        is_go_automatic=toolchain.startswith("auto") or "+auto" in toolchain,
        free_mib=shutil.disk_usage(_existing(where)).free >> 20,
        go_cache=str(where),
        package_obstacle=debian.obstacle(packages) if packages else None,
        missing_programs=tuple(missing_programs),
    )


def _go_problems(needed: str, machine: Machine) -> list[str]:
    if machine.go_version is None:
        return [f"go is not on PATH: install Go {needed} or newer"]
    enough = _AUTOMATIC_SINCE if machine.is_go_automatic else needed
    if run.at_least(machine.go_version, enough):
        return []
    return [
        f"go is {machine.go_version}, the tools need {needed} or newer: install it, or set GOTOOLCHAIN=auto"
    ]


def _directive(module: GoModule) -> str:
    found = _GO_DIRECTIVE.search((module.directory / "go.mod").read_text())
    if found is None:
        raise ValueError(f"{module.folder}/go.mod has no go directive")
    return found.group(1)


def _existing(path: Path) -> Path:
    while not os.path.lexists(path):
        path = path.parent
    return path
