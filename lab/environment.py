"""What a shell needs to use the lab: kubeconfig, tools, and a Pulumi that keeps its state with the lab."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lab import paths
from lab.cluster.state import State
from lab.provider.install import install_plugin

PASSPHRASE = "routerfleet-lab"  # noqa: S105  see docs/adr/0004-local-stack-passphrase.md
"""Passphrase of the local stacks. It is public, because their state holds no secret: passwords are made by
operators inside the cluster. Its salt stands in the stack's file, which Pulumi would otherwise rewrite."""


def ensure_pulumi(state: State) -> None:
    """Make Pulumi's home with the kubernetes plugin, its state folder and the passphrase file."""
    for folder in ("home", "state"):
        (state.pulumi / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    install_plugin(state.pulumi / "home")
    file = state.pulumi / "passphrase"
    file.write_text(PASSPHRASE)
    file.chmod(0o600)


def variables(state: State, tools: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment variables, with the checkout's Python and the tools first on PATH.

    Args:
        state: The lab's state folders.
        tools: Binaries by tool name, whose folders go on PATH.
    """
    first = [str(paths.checkout_dir() / ".venv" / "bin")]
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
