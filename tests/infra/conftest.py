"""Fixtures that more than one test module of the program uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.support import kubeconfig_text


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig whose context `test` leads to a port that nobody listens on."""
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig_text())
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path
