"""The server's own validator on the dynamic configuration that a stack would get.

Keys come and go between minor versions, so only the target version's binary can tell. It exits with 0 whatever
it finds; its `warning:` lines are what counts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.rendering.dynamic_config import render_dynamic_config
from infra.settings import Settings

_BINARY = "temporal-server"
_TIMEOUT_SECONDS = 30


def check_dynamic_config(settings: Settings) -> tuple[list[str], list[str]]:
    """Return problems and warnings, one line each."""
    binary = shutil.which(_BINARY)
    wanted = settings.images.temporal_server.tag
    if binary is None:
        return [], [f"dynamic configuration was not checked: {_BINARY} {wanted} is not on PATH"]
    found = _version(binary)
    if found != wanted:
        return [], [
            f"dynamic configuration was not checked: {_BINARY} on PATH is {found or 'unknown'}, not {wanted}"
        ]
    text = render_dynamic_config(len(settings.tenants), settings.temporal.dynamic_config)
    return problems_of(_validate(binary, text)), []


def problems_of(output: str) -> list[str]:
    """Return one line for each complaint in the validator's output."""
    complaint = re.compile(r"\b(?:warning|error):\s*(.+)", re.IGNORECASE)
    return [
        f"temporal.dynamic_config: {match.group(1).strip()}"
        for line in output.splitlines()
        if (match := complaint.search(line))
    ]


def _version(binary: str) -> str | None:
    match = re.search(r"\d+\.\d+\.\d+", _run([binary, "--version"]))
    return match.group(0) if match else None


def _validate(binary: str, text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dynamic.yaml"
        path.write_text(text, encoding="utf-8")
        return _run([binary, "validate-dynamic-config", str(path)])


def _run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    return result.stdout + result.stderr
