"""Looking for tools that the machine already has: on PATH, in the usual folders, beside the interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from lab.toolchain import run
from lab.toolchain.model import DebianTool, GoTool, PythonTool

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def go_tool(tool: GoTool) -> Path | None:
    """Find a binary on PATH that reports exactly the table's version."""
    if not tool.version_command:
        return None
    for candidate in _candidates(tool.name):
        if _reported(candidate, tool.version_command) == tool.version:
            return candidate
    return None


def debian_tool(tool: DebianTool) -> Path | None:
    """Find a program of at least the minimum version, or a folder holding all its members."""
    if tool.files:
        return next((Path(f) for f in tool.files if all((Path(f) / m).is_file() for m in tool.members)), None)
    for candidate in _candidates(tool.name):
        version = _reported(candidate, tool.version_command)
        if version is not None and run.at_least(version, tool.minimum):
            return candidate
    return None


def python_tool(tool: PythonTool) -> Path | None:
    """Find a program installed beside the running interpreter."""
    path = Path(sys.executable).parent / tool.name
    try:
        is_right = metadata.version(tool.distribution) == tool.version
    except metadata.PackageNotFoundError:
        return None
    return path if is_right and path.is_file() else None


def _reported(candidate: Path, version_command: tuple[str, ...]) -> str | None:
    text = run.answer([candidate, *version_command])
    return run.first_version(text) if text else None


def _candidates(name: str) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM_FOLDERS):
        path = Path(folder or ".").absolute() / name
        if path not in seen and path.is_file() and os.access(path, os.X_OK):
            seen.add(path)
            yield path
