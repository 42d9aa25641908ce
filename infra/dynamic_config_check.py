"""The server's own validator on the dynamic configuration that a stack would get.

Keys come and go between minor versions, so only the target version's binary can tell. It exits with 0 whatever
it finds in the file; its `warning:` lines are what counts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.rendering.dynamic_config import render_dynamic_config
from infra.settings import Settings
from infra.sizing import worker_load

_BINARY = "temporal-server"
_TIMEOUT_SECONDS = 30


def check_dynamic_config(settings: Settings) -> tuple[list[str], list[str]]:
    """Return problems and warnings, one line each."""
    binary = shutil.which(_BINARY)
    wanted = settings.images.temporal_server.tag
    if binary is None:
        return [], [f"dynamic configuration was not checked: {_BINARY} {wanted} is not on PATH"]
    try:
        return _checked(binary, settings)
    except subprocess.TimeoutExpired as error:
        return [f"temporal.dynamic_config: {_BINARY} did not judge it within {error.timeout:.0f} s"], []
    except OSError as error:
        return [f"temporal.dynamic_config: {binary} cannot be run: {error.strerror}"], []


def _checked(binary: str, settings: Settings) -> tuple[list[str], list[str]]:
    wanted = settings.images.temporal_server.tag
    found = _version(binary)
    if found != wanted:
        return [], [
            f"dynamic configuration was not checked: {_BINARY} on PATH is {found or 'unknown'}, not {wanted}"
        ]
    text = render_dynamic_config(worker_load(settings), settings.temporal.dynamic_config)
    code, output = _validate(binary, text)
    return problems_of(output, code), []


def problems_of(output: str, code: int = 0) -> list[str]:
    """Return one line for each complaint in the validator's output, or its last words if it failed without one."""
    complaint = re.compile(r"\b(?:warning|error):\s*(.+)", re.IGNORECASE)
    found = [match.group(1).strip() for line in output.splitlines() if (match := complaint.search(line))]
    if code and not found:
        last = ([line.strip() for line in output.splitlines() if line.strip()] or ["nothing"])[-1]
        found = [f"the validator ended with {code} and said: {last}"]
    return [f"temporal.dynamic_config: {line}" for line in found]


def _version(binary: str) -> str | None:
    match = re.search(r"\d+\.\d+\.\d+", _run([binary, "--version"])[1])
    return match.group(0) if match else None


def _validate(binary: str, text: str) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dynamic.yaml"
        path.write_text(text, encoding="utf-8")
        return _run([binary, "validate-dynamic-config", str(path)])


def _run(command: list[str]) -> tuple[int, str]:
    result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    return result.returncode, result.stdout + result.stderr
