"""What a shell needs to use the lab: kubeconfig, tools, and a Pulumi that keeps its state with the lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab import paths
from lab.cluster.state import State
from lab.provider.install import install_plugin

PASSPHRASE = "routerfleet-lab"  # noqa: S105  see docs/adr/0004-local-stack-passphrase.md
"""Passphrase of the local stacks. It is public, because their state holds no secret: passwords are made by
operators inside the cluster. Its salt stands in the stack's file, which Pulumi would otherwise rewrite."""


PULUMI_PROGRAMS = ("pulumi", "pulumi-language-python")
EXEC = "pulumi-language-python-exec"
"""The language host's script that runs a program; the host looks for it in its own folder."""
EXEC_WRAPPER = """#!/usr/bin/env python3
# The language host interrupts this process when an update has failed; the failure has been told by then.
import runpy
import sys


def quietly(kind, error, trace):
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = quietly
runpy.run_path({original!r}, run_name="__main__")
"""


def ensure_pulumi(state: State, tools: Mapping[str, Path]) -> None:
    """Make Pulumi's home with the kubernetes plugin, its programs, state folder and passphrase file."""
    for folder in ("home", "state", "bin"):
        (state.pulumi / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in PULUMI_PROGRAMS:
        _link(tools[name], state.pulumi / "bin" / name)
    script = state.pulumi / "bin" / EXEC
    script.unlink(missing_ok=True)
    script.write_text(EXEC_WRAPPER.format(original=str(tools["pulumi-language-python"].with_name(EXEC))))
    script.chmod(0o755)
    install_plugin(state.pulumi / "home")
    file = state.pulumi / "passphrase"
    file.write_text(PASSPHRASE)
    file.chmod(0o600)


def _link(source: Path, target: Path) -> None:
    """Put a program where Pulumi takes it for one of its own release.

    A language host in the folder of the `pulumi` that runs is part of it; one found on PATH draws a warning
    on every command. A hard link, because a symbolic one leads back to the other folder.
    """
    if target.exists() and target.samefile(source):
        return
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        partial.hardlink_to(source)
    except OSError:  # caches on another file system
        shutil.copy2(source, partial)
    partial.replace(target)


def variables(state: State, tools: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment variables, with the checkout's Python and the tools first on PATH.

    Args:
        state: The lab's state folders.
        tools: Binaries by tool name, whose folders go on PATH.
    """
    first = [str(paths.checkout_dir() / ".venv" / "bin"), str(state.pulumi / "bin")]
    first += sorted(
        {str(path.parent) for path in tools.values()} - {"/usr/bin", "/usr/sbin", "/bin", "/sbin"}
    )
    rest = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part not in first]
    return {
        "KUBECONFIG": str(state.kubeconfig),
        "PATH": os.pathsep.join([*first, *rest]),
        "PULUMI_HOME": str(state.pulumi / "home"),
        "PULUMI_BACKEND_URL": f"file://{state.pulumi / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(state.pulumi / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
