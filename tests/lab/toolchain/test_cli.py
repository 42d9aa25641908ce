import argparse
import json
from pathlib import Path

import pytest

from lab.toolchain import cli


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    cli.add_arguments(parser)
    return parser.parse_args(words)


def test_each_tool_gets_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(cli, "ensure", lambda names: {name: Path("/somewhere") / name for name in names})

    assert cli.run(None, parse("kubectl", "runc")) == 0
    assert capsys.readouterr().out == (
        "kubectl  1.34.3      /somewhere/kubectl\nrunc     1.1         /somewhere/runc\n"
    )


def test_machines_get_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(cli, "ensure", lambda names: {name: Path("/somewhere") / name for name in names})
    cli.run(None, parse("kubectl", "--json"))

    assert json.loads(capsys.readouterr().out) == {
        "kubectl": {"version": "1.34.3", "path": "/somewhere/kubectl"}
    }
