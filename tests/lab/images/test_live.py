"""The real images, as `make up` left them in the cache, and a real registry on loopback."""

import json
import os
import re
import socket
import stat
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import images, toolchain
from lab.images import push
from lab.images.table import DIST_PACKAGES
from lab.toolchain import Progress

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def built() -> dict[str, images.BuiltImage]:
    return dict(zip(images.RECIPES, images.build(images.RECIPES, Progress()), strict=True))


def members(image: images.BuiltImage) -> dict[str, tarfile.TarInfo]:
    """Return what a container of the image sees, by path."""
    seen: dict[str, tarfile.TarInfo] = {}
    for blob in image.blobs[1:]:
        assert isinstance(blob.content, Path)
        with tarfile.open(blob.content) as archive:
            seen |= {f"/{member.name}": member for member in archive.getmembers()}
    return seen


def test_all_images_together_are_small(built: dict[str, images.BuiltImage]):
    sizes = {blob.digest: blob.size for image in built.values() for blob in image.blobs}

    # The largest layer, 180 MB, is what the workers depend on: the SDK of Temporal, and NAPALM with its own.
    assert sum(sizes.values()) < 720 << 20


def test_images_share_one_base_layer(built: dict[str, images.BuiltImage]):
    lowest = {built[name].blobs[1].digest for name, recipe in images.RECIPES.items() if recipe.is_on_base}

    assert len(lowest) == 1


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("pause", ["/pause"]),
        ("coredns", ["/coredns"]),
        ("temporal_server", ["/usr/local/bin/temporal-server", "/usr/bin/sh"]),
        (
            "temporal_admin_tools",
            [
                "/usr/local/bin/temporal-sql-tool",
                "/etc/temporal/schema/postgresql/v12/temporal/versioned",
                "/etc/temporal/schema/postgresql/v12/visibility/versioned",
            ],
        ),
        ("temporal_ui", ["/home/ui-server/ui-server"]),
        ("haproxy", ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"]),
        (
            "postgresql",
            [f"/usr/lib/postgresql/17/bin/{p}" for p in ("initdb", "pg_rewind", "pg_basebackup", "postgres")],
        ),
        ("pgbouncer", ["/usr/bin/pgbouncer"]),
        ("cloudnative_pg", ["/manager", "/operator/manager_amd64"]),
        (
            "worker",
            ["/usr/bin/python3", f"/{DIST_PACKAGES}/worker/__init__.py", f"/{DIST_PACKAGES}/temporalio"],
        ),
    ],
)
def test_what_manifests_rely_on_is_there(built: dict[str, images.BuiltImage], name: str, paths: list[str]):
    assert [path for path in paths if path not in members(built[name])] == []


@pytest.mark.parametrize("name", images.RECIPES)
def test_nothing_runs_with_more_rights_than_its_user(built: dict[str, images.BuiltImage], name: str):
    privileged = [
        p for p, m in members(built[name]).items() if m.isreg() and m.mode & (stat.S_ISUID | stat.S_ISGID)
    ]

    assert privileged == []


@pytest.mark.parametrize("name", images.RECIPES)
def test_no_private_key_no_identity_no_mirror(built: dict[str, images.BuiltImage], name: str):
    unwanted = re.compile(
        r"^/etc/ssl/private/.|\.key$|^/etc/machine-id$|^/etc/apt/sources\.list$|^/var/lib/apt/lists/."
    )

    assert [path for path in members(built[name]) if unwanted.search(path)] == []


def test_the_worker_image_holds_the_workers_code_and_dependencies_and_nothing_else(
    built: dict[str, images.BuiltImage],
):
    inside = {
        path.split("/")[6] for path in members(built["worker"]) if path.startswith(f"/{DIST_PACKAGES}/")
    }

    assert "worker" in inside
    assert inside & {"infra", "lab", "load_tests", "tests", "pulumi", "lightkube", "pytest"} == set()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of our own on loopback, empty, gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "config.yml").write_text(json.dumps(config))
    program = toolchain.ensure(["docker-registry"], Progress())["docker-registry"]
    with (tmp_path / "registry.log").open("wb") as log:
        server = subprocess.Popen([program, "serve", tmp_path / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "registry.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def test_a_pushed_image_is_pulled_back_by_digest(
    built: dict[str, images.BuiltImage], registry: str, tmp_path: Path
):
    image = built["worker"]
    pushed = push.push(image, f"{registry}/team/worker", Progress())
    skopeo = toolchain.ensure(["skopeo"], Progress())["skopeo"]
    options = ["--insecure-policy", "copy", "--src-tls-verify=false"]
    subprocess.run(
        [skopeo, *options, f"docker://{pushed}", f"dir:{tmp_path}/back"],
        check=True,
        stdout=subprocess.DEVNULL,
    )

    assert re.fullmatch(rf"{re.escape(registry)}/team/worker@sha256:[0-9a-f]{{64}}", pushed)
    manifest = json.loads((tmp_path / "back" / "manifest.json").read_text())
    config = json.loads((tmp_path / "back" / manifest["config"]["digest"].split(":")[1]).read_text())
    assert {layer["mediaType"] for layer in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    # Compressed on the way, the same content: the uncompressed digests are those of our layers.
    assert config["rootfs"]["diff_ids"] == [blob.digest for blob in image.blobs[1:]]
    assert config["config"]["User"] == "10001:10001"


def test_make_image_writes_an_archive_and_pushes_it(registry: str, tmp_path: Path):
    command = [
        ".venv/bin/python",
        "-m",
        "lab",
        "image",
        "--json",
        "--output",
        tmp_path / "worker.tar",
        "--push",
        f"{registry}/worker:v1",
    ]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], env=os.environ, stdout=subprocess.PIPE, check=True
    )
    told = json.loads(done.stdout)

    with urllib.request.urlopen(f"http://{registry}/v2/worker/tags/list", timeout=5) as answer:
        assert json.load(answer) == {"name": "worker", "tags": ["v1"]}
    with tarfile.open(tmp_path / "worker.tar") as archive:
        assert f"blobs/{told['digest'].replace(':', '/')}" in archive.getnames()
    assert told["pushed"].startswith(f"{registry}/worker@sha256:")


def test_a_registry_that_refuses_is_one_line(built: dict[str, images.BuiltImage]):
    from lab.errors import LabError

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=r"^skopeo failed with 1: .*connection refused") as caught:
            push.push(built["pause"], f"127.0.0.1:{port}/worker", Progress())

    assert "\n" not in str(caught.value)
