"""Debian file trees: made with mmdebstrap, stripped of what a container must not carry.

Works in folders it is given; knows neither tars nor caches.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.errors import LabError
from lab.images.table import BASE, DIST_PACKAGES, PYTHON, SUITE, USERS, DebianLayer, User
from lab.toolchain import run

MIRROR_VARIABLE = "ROUTERFLEET_DEBIAN_MIRROR"

# Machine identity, secrets made while installing, caches, logs, and texts nobody reads in a container.
_PRUNE = (
    *("usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*"),
    *("dev/*", "run/*", "tmp/*", "var/tmp/*", "var/backups/*"),
    *("var/cache/apt/*", "var/cache/debconf/*-old", "var/cache/ldconfig/*"),
    *("var/lib/apt/lists/*", "var/lib/dpkg/*-old", "etc/*-"),
    *("etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"),
    *("etc/machine-id", "etc/resolv.conf", "etc/hostname"),
    *("etc/ssl/private/*", "etc/ssl/certs/ssl-cert-snakeoil.pem"),
    "**/__pycache__",
)
_SPECIAL_BITS = 0o6000
_PATH_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def mirrors(sources: Iterable[str], override: str | None) -> list[str]:
    """Return the apt lines for the images' suite, from this machine's own mirrors.

    Args:
        sources: Contents of the machine's apt source files, either format.
        override: Mirror to use instead.

    Raises:
        LabError: The machine has no Debian mirror and none is given.
    """
    urls = [override] if override else _urls(sources)
    main = next((url for url in urls if "security" not in url), None)
    if main is None:
        raise LabError(
            f"no Debian mirror in this machine's apt sources: set {MIRROR_VARIABLE} to one's address"
        )
    security = next((url for url in urls if "security" in url), None)
    lines = [f"deb {main} {SUITE} main", f"deb {main} {SUITE}-updates main"]
    return [*lines, f"deb {security} {SUITE}-security main"] if security else lines


def machine_mirrors() -> list[str]:
    """Return the apt lines that this machine's apt sources and environment lead to."""
    folder = Path("/etc/apt")
    files = [
        folder / "sources.list",
        *folder.glob("sources.list.d/*.list"),
        *folder.glob("sources.list.d/*.sources"),
    ]
    return mirrors([f.read_text() for f in files if f.is_file()], os.environ.get(MIRROR_VARIABLE))


def make_base(root: Path, mmdebstrap: Path, log: Path) -> None:
    """Make the base tree in the empty folder `root`."""
    _bootstrap(["--variant=essential"], BASE, root, mmdebstrap, log)
    _strip(root, BASE.prune)
    _set_users(root, USERS)


def add_packages(layer: DebianLayer, root: Path, mmdebstrap: Path, log: Path) -> None:
    """Install the packages of `layer` into the base tree in `root`."""
    _bootstrap(["--variant=custom", "--skip=check/empty"], layer, root, mmdebstrap, log)
    _strip(root, layer.prune)
    _set_users(root, layer.users)
    if layer.is_compiled:
        compile_python(root, f"usr/lib/python{PYTHON}", log)


_WITHOUT_WHEEL = ("ncclient", "pyeapi")
"""Published as sources only; both are Python alone, so that this machine's setuptools makes wheels of them that
fit any Python. Everything else is a wheel or a refusal: nothing is compiled for the image by accident."""


def add_dependencies(requirements: Path, root: Path, log: Path) -> None:
    """Install hash-pinned distributions for the image's Python, whatever Python runs this."""
    target = root / DIST_PACKAGES
    target.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile-bytecode"]
    options += ["--no-build-isolation", *(word for name in _WITHOUT_WHEEL for word in ("--no-binary", name))]
    machine = ["--python-version", PYTHON, "--python-platform", "x86_64-manylinux_2_40"]
    run.logged(
        [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "install",
            *options,
            *machine,
            "--target",
            target,
            "-r",
            requirements,
        ],
        log,
    )
    for leftover in ("bin", ".lock"):
        _remove(target / leftover)
    compile_python(root, DIST_PACKAGES, log)


def compile_python(root: Path, folder: str, log: Path) -> None:
    """Compile a folder of Python sources with the tree's own Python.

    The result is never compared with its source's time (`unchecked-hash`), so that it stays valid
    in a layer whose times are all zero and is the same in every build.
    """
    mode = ["--invalidation-mode", "unchecked-hash"]
    run.logged(
        ["chroot", root, f"python{PYTHON}", "-m", "compileall", "-q", *mode, f"/{folder}"],
        log.with_name(f"{log.stem}-compile.log"),
        is_isolated=True,
        env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/usr/sbin:/bin:/sbin"},
    )


def _bootstrap(options: Sequence[str], layer: DebianLayer, root: Path, mmdebstrap: Path, log: Path) -> None:
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in _PATH_EXCLUDED]
    include = f"--include={','.join(layer.packages)}"
    fixed = ["--mode=root", "--format=directory", '--aptopt=Acquire::Languages "none"', *_host_acquire()]
    run.logged(
        [mmdebstrap, *fixed, *options, *excluded, include, SUITE, root, *machine_mirrors()],
        log,
        is_isolated=True,  # mmdebstrap mounts the machine's /dev, /proc and /sys into the tree
        env={"SOURCE_DATE_EPOCH": "0", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8"},  # noqa: S108  # it must exist inside as well
    )


def _host_acquire() -> list[str]:
    """Pass on this machine's proxy and its opinion on outdated mirrors."""
    wanted = re.compile(r"^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date) ")
    lines = (run.answer(["apt-config", "dump"]) or "").splitlines()
    return [f"--aptopt={line}" for line in lines if wanted.match(line)]


def _urls(sources: Iterable[str]) -> list[str]:
    found: list[str] = []
    for text in sources:
        for line in text.splitlines():
            match = re.match(
                r"(?:URIs:|deb\s+(?:\[[^\]]*\]\s+)?)\s*(\S+://\S*/debian(?:-security)?)/?(?:\s|$)", line
            )
            if match:
                found.append(match.group(1))
    return found


def _strip(root: Path, prune: Sequence[str]) -> None:
    for pattern in (*_PRUNE, *prune):
        for path in list(root.glob(pattern)):
            _remove(path)
    for folder, _, names in os.walk(root):
        for name in names:
            _tame(Path(folder) / name, root)


def _tame(path: Path, root: Path) -> None:
    """Empty a log, drop a link to a pruned certificate, take set-user-id bits away."""
    if path.is_symlink():
        if path.is_relative_to(root / "etc/ssl/certs") and "snakeoil" in str(path.readlink()):
            path.unlink()
        return
    if path.is_relative_to(root / "var/log"):
        path.unlink()
        return
    mode = path.lstat().st_mode
    if mode & _SPECIAL_BITS:
        path.chmod(mode & 0o1777)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _set_users(root: Path, users: Sequence[User]) -> None:
    """Give `users` their numbers; a Debian user or group of the same name or number gives way."""
    passwd, group, shadow = (root / "etc" / name for name in ("passwd", "group", "shadow"))
    owners = {line.split(":")[0]: int(line.split(":")[2]) for line in passwd.read_text().splitlines()}
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in group.read_text().splitlines()}
    for user in users:
        if user.name in owners:
            _give(root, owners[user.name], groups[user.name], user.number)
    passwd.write_text(
        _without(passwd, users)
        + "".join(f"{u.name}:*:{u.number}:{u.number}::{u.home}:/usr/sbin/nologin\n" for u in users)
    )
    group.write_text(_without(group, users) + "".join(f"{u.name}:*:{u.number}:\n" for u in users))
    if shadow.is_file():
        known = {line.split(":")[0] for line in shadow.read_text().splitlines()}
        new = "".join(f"{u.name}:*:0:0:99999:7:::\n" for u in users if u.name not in known)
        shadow.write_text(shadow.read_text() + new)


def _without(file: Path, users: Sequence[User]) -> str:
    names = {user.name for user in users}
    numbers = {str(user.number) for user in users}
    kept = [line for line in file.read_text().splitlines() if line.split(":")[0] not in names]
    return "".join(f"{line}\n" for line in kept if line.split(":")[2] not in numbers)


def _give(root: Path, old_user: int, old_group: int, number: int) -> None:
    for path in root.rglob("*"):
        status = path.lstat()
        user = number if status.st_uid == old_user else -1
        group = number if status.st_gid == old_group else -1
        if (user, group) != (-1, -1):
            os.chown(path, user, group, follow_symlinks=False)
