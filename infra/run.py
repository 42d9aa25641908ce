"""One run of the Pulumi program, from configuration to exported outputs."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from infra import outputs, preflight
from infra.manifests import ManifestError
from infra.program import Release, deploy
from infra.settings import SettingsError, load, load_payload_keys
from worker.release import ReleaseError


def run() -> None:
    """Read the settings, refuse what cannot work, declare the stack, export its outputs.

    Raises:
        RunError: With one line per problem; Pulumi shows it without a stack trace.
    """
    try:
        settings = load()
        release = Release.read(settings)
    except (SettingsError, ManifestError, ReleaseError) as error:
        raise pulumi.RunError(_listed(str(error).splitlines())) from None
    findings = preflight.check(settings)
    for warning in findings.warnings:
        pulumi.warn(warning)
    if findings.problems:
        raise pulumi.RunError(_listed(findings.problems))
    outputs.export(deploy(settings, release, load_payload_keys()))


def _listed(problems: Sequence[str]) -> str:
    """Return the problems as Pulumi shows them best: a single one in one line, more as a list."""
    if len(problems) == 1:
        return problems[0]
    return "\n".join([f"{len(problems)} problems:", *(f"  - {problem}" for problem in problems)])
