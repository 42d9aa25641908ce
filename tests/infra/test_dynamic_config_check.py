"""The server's own validator: what counts as a complaint, and what happens when it fails itself."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from infra import dynamic_config_check
from infra.dynamic_config_check import check_dynamic_config, problems_of
from tests.infra.support import settings


def test_the_validators_warnings_are_problems() -> None:
    output = """dynamic.yaml
  warning: unregistered key "frontend.rpsx"
  warning: validation failed: key "frontend.rps" value x: value type is not int
"""

    assert problems_of(output) == [
        'temporal.dynamic_config: unregistered key "frontend.rpsx"',
        'temporal.dynamic_config: validation failed: key "frontend.rps" value x: value type is not int',
    ]
    assert problems_of("dynamic.yaml\n") == []


@pytest.fixture
def server_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a `temporal-server` on PATH that says a version, and otherwise repeats the file with a warning."""

    def place(version: str | None) -> None:
        if version:
            script = tmp_path / "temporal-server"
            script.write_text(
                f'#!/bin/sh\n[ "$1" = --version ] && echo temporal version {version} && exit 0\n'
                '[ "$1" = validate-dynamic-config ] && grep -q nonsense "$2" && echo \'  warning: bad key\'\n'
                "exit 0\n"
            )
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return place


def nonsense(values: dict[str, Any]) -> None:
    values["temporal"]["dynamic_config"] = {"nonsense": 1}


def test_a_dynamic_configuration_that_the_server_warns_about_is_refused(server_on_path: Any) -> None:
    server_on_path("1.32.1")

    assert check_dynamic_config(settings()) == ([], [])
    assert check_dynamic_config(settings(nonsense)) == (["temporal.dynamic_config: bad key"], [])


@pytest.mark.parametrize(
    ("version", "warning"),
    [
        (None, "dynamic configuration was not checked: temporal-server 1.32.1 is not on PATH"),
        ("1.31.2", "dynamic configuration was not checked: temporal-server on PATH is 1.31.2, not 1.32.1"),
    ],
)
def test_a_validator_of_another_version_is_not_believed(
    server_on_path: Any, version: str | None, warning: str
) -> None:
    server_on_path(version)

    assert check_dynamic_config(settings(nonsense)) == ([], [warning])


@pytest.mark.parametrize(
    ("script", "line"),
    [
        (
            "echo panic: oh; echo '  exit status 2 '; exit 2",
            "the validator ended with 2 and said: exit status 2",
        ),
        ("exit 3", "the validator ended with 3 and said: nothing"),
        ("echo 'error: no such command'; exit 1", "no such command"),
        ("exec sleep 30", "temporal-server did not judge it within 1 s"),
    ],
)
def test_a_validator_that_fails_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, line: str
) -> None:
    binary = tmp_path / "temporal-server"
    binary.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo 1.32.1 && exit 0\n{script}\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(dynamic_config_check, "_TIMEOUT_SECONDS", 1)

    assert check_dynamic_config(settings()) == ([f"temporal.dynamic_config: {line}"], [])


def test_a_validator_that_cannot_be_run_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "temporal-server"
    binary.write_bytes(b"\x7fELF")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert check_dynamic_config(settings()) == (
        [f"temporal.dynamic_config: {binary} cannot be run: Exec format error"],
        [],
    )
