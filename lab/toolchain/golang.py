"""Building tools from Go modules and taking files out of them.

Every module is built with the same flags from its own pinning go.mod and go.sum, so a result is
known by its inputs: `key` names the folder it is published under, and nothing is built twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.toolchain import run, store
from lab.toolchain.model import GoModule, GoTool, ModuleFiles

_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
# CGO off: static binaries that run in any image and on any host.
_ENVIRONMENT = {"CGO_ENABLED": "0"}


def key(tool: GoTool | ModuleFiles, go_version: str) -> str:
    """Return twelve hex digits over everything that decides the tool's bytes."""
    module = tool.module
    digest = hashlib.sha256()
    for source in sorted(module.directory.iterdir()):
        digest.update(f"{source.name}\0".encode() + hashlib.sha256(source.read_bytes()).digest())
    if isinstance(tool, GoTool):
        recipe = [tool.import_path, *tool.scripts, _ldflags(module), *_FLAGS, go_version]
    else:
        recipe = [module.path, module.version, tool.path]
    digest.update(json.dumps(recipe).encode())
    return digest.hexdigest()[:12]


def home(tool: GoTool | ModuleFiles, go_version: str) -> Path:
    """Return the folder a tool is published under, whether it is there yet or not."""
    return paths.cache_dir() / "tools" / f"{tool.name}-{tool.version}-{key(tool, go_version)}"


def place(tool: GoTool | ModuleFiles, go_version: str) -> Path:
    """Return where a tool's binary or files are once published."""
    folder = home(tool, go_version)
    return folder / "bin" / tool.name if isinstance(tool, GoTool) else folder / Path(tool.path).name


def make(module: GoModule, tools: Sequence[GoTool | ModuleFiles], go_version: str) -> None:
    """Build all named tools of one module together and publish each.

    Call it only while holding the module's lock.

    Raises:
        LabError: The build failed.
    """
    root = paths.cache_dir() / "tools"
    log = paths.cache_dir() / "logs" / f"go-{module.folder}.log"
    binaries = [tool for tool in tools if isinstance(tool, GoTool)]
    with store.making(root, module.folder) as folder:
        if binaries:
            _build(module, binaries, folder / "out", log)
        for tool in tools:
            made = folder / tool.name
            if isinstance(tool, GoTool):
                _lay_out_binary(tool, folder / "out", made, log)
            else:
                _copy(_module_file(module, tool.path, log), made / Path(tool.path).name)
            store.publish(made, home(tool, go_version))


def _build(module: GoModule, tools: Sequence[GoTool], out: Path, log: Path) -> None:
    out.mkdir()
    packages = [tool.import_path for tool in tools]
    run.logged(
        ["go", "build", *_FLAGS, "-ldflags", _ldflags(module), "-o", f"{out}/", *packages],
        log,
        cwd=module.directory,
        env=_ENVIRONMENT,
    )


def _lay_out_binary(tool: GoTool, out: Path, made: Path, log: Path) -> None:
    (made / "bin").mkdir(parents=True)
    (out / Path(tool.import_path).name).rename(made / "bin" / tool.name)
    for script in tool.scripts:
        target = made / "bin" / Path(script).name
        _copy(_module_file(tool.module, script, log), target)
        target.chmod(0o755)


def _module_file(module: GoModule, path: str, log: Path) -> Path:
    run.logged(["go", "mod", "download", module.path], log, cwd=module.directory)
    folder = run.answer(["go", "list", "-m", "-f", "{{.Dir}}", module.path], cwd=module.directory)
    found = Path((folder or "").strip()) / path
    if not folder or not found.exists():
        raise LabError(
            f"{path} is not in Go module {module.path} {module.version}: correct the toolchain's table"
        )
    return found


def _copy(source: Path, target: Path) -> None:
    """Copy contents but not the module cache's read-only modes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir()
        for entry in sorted(source.iterdir()):
            _copy(entry, target / entry.name)
    else:
        shutil.copyfile(source, target)


def _ldflags(module: GoModule) -> str:
    return f"-s -w {module.ldflags}".strip()
