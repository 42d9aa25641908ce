from pathlib import Path

import pytest

from lab import images
from lab.errors import LabError
from lab.images import builder
from lab.toolchain import Progress
from worker import release
from zone_watcher import release as watcher_release


def test_an_unknown_image_is_refused_with_the_names_there_are():
    with pytest.raises(LabError) as caught:
        images.build(["nginx"])

    assert str(caught.value) == (
        "unknown image 'nginx'; there are: cloudnative_pg, coredns, haproxy, pause, pgbouncer, postgresql, "
        "temporal_admin_tools, temporal_server, temporal_ui, worker, zone_watcher"
    )


def test_images_on_the_base_need_root(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(builder.os, "geteuid", lambda: 1000)

    with pytest.raises(LabError, match=r"^building images needs root: "):
        images.build(["worker"])


def test_needed_tools_are_those_of_the_recipes():
    assert images.needed_tools(["pause", "coredns"]) == {"pause", "coredns"}
    assert images.needed_tools(["temporal_admin_tools"]) == {
        "mmdebstrap",
        "temporal-schema",
        "temporal-sql-tool",
    }


def test_names_carry_registry_and_tag():
    assert images.full_name(images.RECIPES["haproxy"]) == "lab.local/haproxy:3.0"
    assert images.full_name(images.RECIPES["worker"]) == f"lab.local/routerfleet-worker:{release.image_tag()}"
    watcher = images.full_name(images.RECIPES["zone_watcher"])
    assert watcher == f"lab.local/routerfleet-zone-watcher:{watcher_release.image_tag()}"


def test_an_image_of_files_is_built_once_and_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    binary = tmp_path / "cache" / "tools" / "pause-3-abc" / "bin" / "pause"
    binary.parent.mkdir(parents=True)
    binary.write_bytes(b"\x7fELF")
    monkeypatch.setenv("ROUTERFLEET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(builder, "ensure", lambda *_: {"pause": binary})

    (first,) = images.build(["pause"], Progress())
    (layer,) = (tmp_path / "cache" / "images" / "layers").iterdir()
    made = layer.stat().st_mtime_ns
    (second,) = images.build(["pause"], Progress())

    assert first == second
    assert layer.stat().st_mtime_ns == made
    assert first.name == "lab.local/pause:3"


def test_a_full_disk_is_told_before_a_layer_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROUTERFLEET_CACHE", str(tmp_path))
    monkeypatch.setattr(builder, "ensure", lambda *_: {"pause": tmp_path / "tools" / "pause"})
    usage = type("Usage", (), {"free": 1 << 30})
    monkeypatch.setattr(builder.layers.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(LabError) as caught:
        images.build(["pause"], Progress())

    assert str(caught.value) == (
        f"disk: making image layers (pause) needs about 2500 MiB, 1024 MiB are free at {tmp_path}; "
        "free some, for instance by: go clean -cache"
    )
