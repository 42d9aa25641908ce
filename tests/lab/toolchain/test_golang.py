from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.toolchain import Progress, ensure, golang
from tests.lab.toolchain import fakes


@pytest.mark.usefixtures("workshop")
def test_a_key_is_the_same_for_the_same_inputs():
    assert golang.key(fakes.HAMMER, "go1.26.8") == golang.key(replace(fakes.HAMMER), "go1.26.8")


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_a_key_follows_the_pins(workshop: Path, file: str):
    before = golang.key(fakes.HAMMER, "go1.26.8")
    with (workshop / "gomodules" / "hammer" / file).open("a") as pins:
        pins.write("\n")

    assert golang.key(fakes.HAMMER, "go1.26.8") != before


@pytest.mark.usefixtures("workshop")
def test_a_key_follows_package_linker_flags_and_go():
    flagged = replace(fakes.HAMMER, module=replace(fakes.MODULE, ldflags="-X a=b"))
    moved = replace(fakes.HAMMER, package="cmd/mallet")

    keys = {
        golang.key(tool, "go1.26.8") for tool in (fakes.HAMMER, flagged, moved, fakes.SLEDGE, fakes.MANUAL)
    }

    assert len(keys) == 5
    assert golang.key(fakes.HAMMER, "go1.26.9") not in keys


def test_tools_of_a_module_are_built_together_once(workshop: Path):
    first = ensure(["hammer", "sledge", "hammer-manual"], Progress())
    second = ensure(["sledge", "hammer-manual", "hammer"], Progress())

    assert first == second
    assert fakes.builds(workshop) == 1
    assert first["hammer"].name == "hammer"
    assert first["sledge"].read_text() == "#!/bin/sh\necho 1.2.3\n"
    assert first["sledge"].with_name("swing").read_text() == "swing it\n"
    assert (first["hammer-manual"] / "part" / "one.txt").read_text() == "hold the other end\n"


def test_tools_lie_under_name_version_and_key(workshop: Path):
    key = golang.key(fakes.HAMMER, "go1.26.8")

    assert ensure(["hammer"], Progress()) == {
        "hammer": workshop / "cache" / "tools" / f"hammer-1.2.3-{key}" / "bin" / "hammer"
    }


def test_a_failed_build_is_one_line_and_leaves_nothing(workshop: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")

    with pytest.raises(LabError) as caught:
        ensure(["hammer"], Progress())

    log = workshop / "cache" / "logs" / "go-hammer.log"
    assert str(caught.value) == f"go failed with 1: hammer.go:7: no handle (all of it: {log})"
    assert list((workshop / "cache" / "tools").iterdir()) == []


def test_a_file_that_the_module_lacks_is_named(workshop: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAKE_MODULE", str(workshop / "elsewhere"))

    with pytest.raises(LabError, match=r"^manual is not in Go module example.com/hammer 1.2.3"):
        ensure(["hammer-manual"], Progress())


@pytest.mark.usefixtures("workshop")
def test_an_unknown_tool_is_refused_with_the_names_there_are():
    with pytest.raises(LabError, match=r"^unknown tool 'nail'; there are: hammer, hammer-manual, sledge$"):
        ensure(["nail"])
