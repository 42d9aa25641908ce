"""Installing Debian packages, without starting the services that come with them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import paths
from lab.toolchain import run

_LISTS = Path("/var/lib/apt/lists")
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_MARK = "# Written by routerfleet's lab while it installs packages."
_DPKG_JOURNAL = Path("/var/lib/dpkg/updates")
_STALE_SECONDS = 24 * 3600


def command(packages: Sequence[str]) -> str:
    """Return the command a person would type to install `packages`."""
    return f"apt-get install -y --no-install-recommends {' '.join(packages)}"


def obstacle(packages: Sequence[str]) -> str | None:
    """Say in one line why `packages` cannot be installed here, or None when they can."""
    if not shutil.which("apt-get"):
        return (
            f"missing on this machine: {', '.join(packages)} (Debian's names); there is no apt-get here, "
            f"so install the same programs yourself; on Debian the command is: {command(packages)}"
        )
    if os.geteuid() != 0:
        return (
            f"missing on this machine: {', '.join(packages)}; as root: apt-get update && {command(packages)}"
        )
    return None


def install(packages: Sequence[str]) -> None:
    """Install packages as they are in the machine's own sources.

    Raises:
        LabError: apt-get or dpkg failed.
    """
    logs = paths.cache_dir() / "logs"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    if _are_lists_stale(time.time()):
        run.logged(["apt-get", "update"], logs / "apt-update.log", env=environment)
    with _services_stay_down():
        if _is_interrupted():
            run.logged(["dpkg", "--configure", "-a"], logs / "dpkg-configure.log", env=environment)
        run.logged(command(packages).split(), logs / "apt-install.log", env=environment)


def has_left_over() -> bool:
    """Tell whether the policy of an installation of ours stands: one at work now, or a killed one."""
    return _POLICY.is_file() and _POLICY_MARK in _POLICY.read_text(errors="replace").splitlines()


def remove_left_over() -> None:
    """Remove the policy that a killed installation left behind; the machine's own is left alone.

    Call it only where no other installation of ours is at work.
    """
    if has_left_over():
        _POLICY.unlink()


def _is_interrupted() -> bool:
    """Tell whether a dpkg was killed: its journal holds entries, as apt-get checks, or packages are half done."""
    has_journal = _DPKG_JOURNAL.is_dir() and any(e.name.isdigit() for e in _DPKG_JOURNAL.iterdir())
    return has_journal or bool(run.answer(["dpkg", "--audit"]))


def _are_lists_stale(now: float) -> bool:
    lists = [entry for entry in _LISTS.glob("*Packages*") if entry.is_file()]
    return not lists or now - max(entry.stat().st_mtime for entry in (*lists, _LISTS)) > _STALE_SECONDS


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Have packages' scripts start nothing: the lab runs its own etcd and containerd."""
    remove_left_over()
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(f"#!/bin/sh\n{_POLICY_MARK}\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
