"""What the toolchain's table is made of: one frozen type per way of getting a tool.

No tool is named here (see `table`) and nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

GOMODULES = Path(__file__).resolve().parent / "gomodules"


@dataclass(frozen=True, slots=True)
class GoModule:
    """A Go module that tools are built from, pinned by a small module of our own.

    Attributes:
        folder: Folder under `gomodules` that holds the pinning go.mod and go.sum.
        path: Import path of the upstream module.
        version: Upstream version without its leading `v`; go.mod must require the same.
        ldflags: Linker settings besides `-s -w`, mostly the version a binary reports.
        seconds: Rough duration of a first build on two cores, to tell a person what to expect.
        disk_mib: Rough space that a first build takes in Go's module and build caches.
    """

    folder: str
    path: str
    version: str
    seconds: int
    disk_mib: int
    ldflags: str = ""

    @property
    def directory(self) -> Path:
        """Folder of the pinning go.mod."""
        return GOMODULES / self.folder


@dataclass(frozen=True, slots=True)
class GoTool:
    """One static binary built from a Go module.

    Attributes:
        name: Name of the tool and of its binary.
        module: Module it is built from.
        package: Package below the module's path; empty for the module's root.
        version_command: Arguments that print the version. Empty for a tool that is never taken
            from PATH: it has no such command, or its bytes go into an image.
        scripts: Files of the module that must lie beside the binary.
    """

    name: str
    module: GoModule
    package: str
    version_command: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Version of the module it comes from."""
        return self.module.version

    @property
    def import_path(self) -> str:
        """Full import path of the main package."""
        return f"{self.module.path}/{self.package}" if self.package else self.module.path


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """Files that an upstream Go module carries and we use as they are.

    Attributes:
        name: Name under which they are asked for.
        module: Module that carries them.
        path: File or folder inside the module.
    """

    name: str
    module: GoModule
    path: str

    @property
    def version(self) -> str:
        """Version of the module they come from."""
        return self.module.version


@dataclass(frozen=True, slots=True)
class DebianTool:
    """A program of the system's packages, of a minimum version.

    Attributes:
        name: Name of the tool.
        package: Debian package that carries it.
        minimum: Lowest version that the lab works with.
        version_command: Arguments that print the version.
        files: For a folder of programs: where it may be, and `members` it must hold.
        members: Programs that the folder must hold.
    """

    name: str
    package: str
    minimum: str
    version_command: tuple[str, ...] = ("--version",)
    files: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Lowest version accepted."""
        return self.minimum


@dataclass(frozen=True, slots=True)
class PythonTool:
    """A program that a Python distribution installs beside the interpreter.

    Attributes:
        name: Name of the program.
        distribution: Python distribution that carries it; the project's requirement list pins it.
        version: Version that the requirement list pins.
    """

    name: str
    distribution: str
    version: str


Tool: TypeAlias = GoTool | ModuleFiles | DebianTool | PythonTool
