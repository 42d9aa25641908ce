from pathlib import Path

import pytest

from lab.errors import LabError
from lab.images import rootfs
from lab.images.table import User

DEB822 = """Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
"""
ONE_LINE = "# deb http://old.example/debian bookworm main\ndeb [arch=amd64] https://mirror.example/debian/ bookworm main\n"


def test_the_images_suite_comes_from_the_machines_mirrors():
    assert rootfs.mirrors([DEB822], None) == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]


def test_one_line_sources_without_security_are_enough():
    assert rootfs.mirrors(["deb https://vendor.example/apt stable main", ONE_LINE], None) == [
        "deb https://mirror.example/debian trixie main",
        "deb https://mirror.example/debian trixie-updates main",
    ]


def test_a_given_mirror_is_the_only_one():
    assert rootfs.mirrors([DEB822], "http://mine.example/mirror") == [
        "deb http://mine.example/mirror trixie main",
        "deb http://mine.example/mirror trixie-updates main",
    ]


def test_a_machine_without_a_debian_mirror_is_told_what_to_set():
    with pytest.raises(LabError) as caught:
        rootfs.mirrors(["deb http://ubuntu.example/ubuntu noble main"], None)

    assert str(caught.value) == (
        "no Debian mirror in this machine's apt sources: set ROUTERFLEET_DEBIAN_MIRROR to one's address"
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text(
        "root:*:0:0:root:/root:/bin/sh\nhaproxy:*:100:101::/var/lib/haproxy:/x\n"
    )
    (tmp_path / "etc" / "group").write_text("root:*:0:\ntape:*:26:\nhaproxy:*:101:\n")
    return tmp_path


def test_users_get_their_numbers_and_others_of_the_same_give_way(root: Path):
    rootfs._set_users(root, [User("postgres", 26, "/home"), User("haproxy", 99)])  # pyright: ignore[reportPrivateUsage]

    assert (root / "etc" / "passwd").read_text() == (
        "root:*:0:0:root:/root:/bin/sh\n"
        "postgres:*:26:26::/home:/usr/sbin/nologin\n"
        "haproxy:*:99:99::/nonexistent:/usr/sbin/nologin\n"
    )
    assert (root / "etc" / "group").read_text() == "root:*:0:\npostgres:*:26:\nhaproxy:*:99:\n"


def test_files_follow_a_user_whose_number_changes(root: Path, monkeypatch: pytest.MonkeyPatch):
    owned = root / "etc" / "passwd"
    changed: list[tuple[str, int, int]] = []
    monkeypatch.setattr(
        rootfs.os, "chown", lambda path, user, group, **_: changed.append((path.name, user, group))
    )
    status = owned.lstat()

    rootfs._give(root, status.st_uid, status.st_gid + 1, 99)  # pyright: ignore[reportPrivateUsage]

    assert ("passwd", 99, -1) in changed


def test_secrets_identity_caches_and_set_user_id_are_stripped(root: Path):
    for name in (
        "etc/ssl/private/host.key",
        "etc/machine-id",
        "var/log/dpkg.log",
        "usr/lib/x/__pycache__/a.pyc",
        "keep",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / "etc/ssl/certs").mkdir()
    (root / "etc/ssl/certs/1234.0").symlink_to("ssl-cert-snakeoil.pem")
    (root / "keep").chmod(0o4755)

    rootfs._strip(root, ["usr/lib/nothing/*"])  # pyright: ignore[reportPrivateUsage]

    left = sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()
    )
    assert left == ["etc/group", "etc/passwd", "keep"]
    assert oct((root / "keep").stat().st_mode) == "0o100755"
