from pathlib import Path

import pytest

from lab.toolchain import installer, model
from tests.lab.toolchain import fakes


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a fake `go`, an empty cache, and the fake module's tools in the table."""
    for name, value in fakes.lay_out(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(model, "GOMODULES", tmp_path / "gomodules")
    table = {tool.name: tool for tool in (fakes.HAMMER, fakes.SLEDGE, fakes.MANUAL)}
    monkeypatch.setattr(installer, "BY_NAME", table)
    return tmp_path
