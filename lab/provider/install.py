"""Puts the plugin where the Pulumi CLI looks for it.

The folder is named after the version the SDK asks for, since the CLI takes no other; it holds one two-line script.
"""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import sys
from pathlib import Path

PLUGIN = "pulumi-resource-kubernetes"


def plugin_version() -> str:
    """Return the version of the installed pulumi_kubernetes distribution."""
    return importlib.metadata.version("pulumi-kubernetes")


def install_plugin(pulumi_home: Path) -> Path:
    """Write the plugin's folder and return its executable; nothing happens if it is already there as it should be.

    Args:
        pulumi_home: what `PULUMI_HOME` names.
    """
    checkout = Path(__file__).resolve().parents[2]
    target = pulumi_home / "plugins" / f"resource-kubernetes-v{plugin_version()}" / PLUGIN
    interpreter, root = shlex.quote(sys.executable), shlex.quote(str(checkout))
    script = f'#!/bin/sh\nPYTHONPATH={root} exec {interpreter} -P -m lab.provider "$@"\n'
    if target.is_file() and target.read_text() == script and os.access(target, os.X_OK):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{PLUGIN}.{os.getpid()}")
    draft.write_text(script)
    draft.chmod(0o755)
    draft.replace(target)
    return target
