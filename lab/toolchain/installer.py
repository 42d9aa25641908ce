"""Making sure that tools are there: find what the machine has, build or install the rest once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.toolchain import debian, found, golang, prerequisites, run, store
from lab.toolchain.model import DebianTool, GoModule, GoTool, ModuleFiles, PythonTool, Tool
from lab.toolchain.progress import Progress, default_progress
from lab.toolchain.table import BY_NAME

# One module links (a single thread, much memory) while the other compiles or downloads.
_MODULES_AT_ONCE = 2


def ensure(names: Iterable[str], progress: Progress | None = None) -> dict[str, Path]:
    """Return where each named tool is, after building or installing those that are missing.

    Args:
        names: Names of the table; a binary, a folder of binaries or files of a module each.
        progress: Where to show what is built; chosen by the terminal when not given.

    Raises:
        LabError: A name is unknown, a prerequisite is missing, or a build failed.
    """
    tools = [_named(name) for name in dict.fromkeys(names)]
    go_version = _go_version()
    there = {tool.name: _find(tool, go_version) for tool in tools}
    missing = [tool for tool in tools if there[tool.name] is None]
    if missing:
        _make(missing, go_version, progress or default_progress())
    return {tool.name: there[tool.name] or _made(tool, go_version) for tool in tools}


def _named(name: str) -> Tool:
    if name not in BY_NAME:
        raise LabError(f"unknown tool {name!r}; there are: {', '.join(sorted(BY_NAME))}")
    return BY_NAME[name]


def _find(tool: Tool, go_version: str) -> Path | None:
    match tool:
        case DebianTool():
            return found.debian_tool(tool)
        case PythonTool():
            return found.python_tool(tool)
        case GoTool() | ModuleFiles():
            built = golang.place(tool, go_version)
            if built.exists():
                return built
            return found.go_tool(tool) if isinstance(tool, GoTool) else None


def _made(tool: Tool, go_version: str) -> Path:
    path = _find(tool, go_version)
    if path is None:
        package = tool.package if isinstance(tool, DebianTool) else tool.name
        raise LabError(f"{tool.name} {tool.version} or newer is still missing after installing {package}")
    return path


def _make(missing: Sequence[Tool], go_version: str, progress: Progress) -> None:
    by_module: dict[GoModule, list[GoTool | ModuleFiles]] = {}
    for tool in missing:
        if isinstance(tool, GoTool | ModuleFiles):
            by_module.setdefault(tool.module, []).append(tool)
    packages = sorted({tool.package for tool in missing if isinstance(tool, DebianTool)})
    programs = [
        f"{tool.name} ({tool.distribution} {tool.version})"
        for tool in missing
        if isinstance(tool, PythonTool)
    ]
    compiled = [
        module for module, tools in by_module.items() if any(isinstance(tool, GoTool) for tool in tools)
    ]
    if lines := prerequisites.problems(compiled, prerequisites.look(packages, programs)):
        raise LabError("; ".join(lines))
    progress.expect(len(by_module) + bool(packages))
    with ThreadPoolExecutor(_MODULES_AT_ONCE + bool(packages)) as pool:
        jobs = [pool.submit(_install, packages, progress)] if packages else []
        longest_first = sorted(by_module, key=lambda module: -module.seconds)
        jobs += [
            pool.submit(_make_module, module, by_module[module], go_version, progress)
            for module in longest_first
        ]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def remove_left_over(progress: Progress | None = None) -> None:
    """Remove what a killed installation of packages left on the machine outside the cache."""
    if debian.has_left_over():
        note = (progress or default_progress()).note
        with store.locked(_apt_lock(), lambda: note("waiting for another run that installs packages")):
            debian.remove_left_over()


def _apt_lock() -> Path:
    return paths.cache_dir() / "locks" / "apt"


def _install(packages: Sequence[str], progress: Progress) -> None:
    with (
        store.locked(_apt_lock(), lambda: progress.note("waiting for another run that installs packages")),
        progress.step(f"install {' '.join(packages)}"),
    ):
        debian.install(packages)


def _make_module(
    module: GoModule, tools: Sequence[GoTool | ModuleFiles], go_version: str, progress: Progress
) -> None:
    lock = paths.cache_dir() / "locks" / f"go-{module.folder}"
    what = f"{module.folder} {module.version}"
    with store.locked(lock, lambda: progress.note(f"waiting for another run that builds {what}")):
        still_missing = [tool for tool in tools if not golang.place(tool, go_version).exists()]
        names = ", ".join(tool.name for tool in tools)
        with progress.step(f"build {what}: {names}", hint=f"about {module.seconds} s the first time"):
            if still_missing:
                golang.make(module, still_missing, go_version)


def _go_version() -> str:
    """Return what `go version` reports; part of every key, so a new Go builds anew."""
    return (run.answer(["go", "env", "GOVERSION"]) or "none").strip()
