import os
import tarfile
from pathlib import Path

import pytest

from lab.images import layer


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal trees: a folder with two files, an empty folder, a link."""
    for root in (tmp_path / "lower", tmp_path / "upper"):
        (root / "etc").mkdir(parents=True)
        (root / "empty").mkdir()
        (root / "etc" / "kept").write_text("kept")
        (root / "etc" / "other").write_text("other")
        (root / "link").symlink_to("etc/kept")
    return tmp_path / "lower", tmp_path / "upper"


def written(lower: Path | None, upper: Path) -> list[tarfile.TarInfo]:
    output = upper.parent / "layer.tar"
    layer.write_difference(lower, upper, output)
    with tarfile.open(output) as archive:
        return archive.getmembers()


def names(lower: Path | None, upper: Path) -> list[str]:
    return [member.name for member in written(lower, upper)]


def test_equal_trees_give_an_empty_layer_whatever_their_times(trees: tuple[Path, Path]):
    os.utime(trees[1] / "etc" / "kept", (5, 5))

    assert names(*trees) == []


def test_without_a_tree_below_everything_is_in_the_layer(trees: tuple[Path, Path]):
    assert names(None, trees[1]) == ["empty", "etc", "etc/kept", "etc/other", "link"]


def test_a_changed_file_comes_with_its_folders(trees: tuple[Path, Path]):
    (trees[1] / "etc" / "other").write_text("OTHER")  # the same length, and below the same time
    for root in trees:
        os.utime(root / "etc" / "other", (5, 5))

    assert names(*trees) == ["etc", "etc/other"]


def test_changed_permissions_are_a_change(trees: tuple[Path, Path]):
    (trees[1] / "etc" / "other").chmod(0o755)

    assert [(m.name, oct(m.mode)) for m in written(*trees)] == [("etc", "0o755"), ("etc/other", "0o755")]


def test_a_removed_file_is_a_whiteout(trees: tuple[Path, Path]):
    (trees[1] / "etc" / "other").unlink()
    members = written(*trees)

    assert [(m.name, m.size, m.isreg()) for m in members] == [("etc", 0, False), ("etc/.wh.other", 0, True)]


def test_a_removed_folder_is_one_whiteout(trees: tuple[Path, Path]):
    (trees[1] / "empty").rmdir()

    assert names(*trees) == [".wh.empty"]


def test_a_link_elsewhere_is_a_change(trees: tuple[Path, Path]):
    (trees[1] / "link").unlink()
    (trees[1] / "link").symlink_to("etc/other")

    assert [(m.name, m.linkname) for m in written(*trees)] == [("link", "etc/other")]


def test_a_file_that_became_a_folder_replaces_it(trees: tuple[Path, Path]):
    (trees[1] / "etc" / "other").unlink()
    (trees[1] / "etc" / "other").mkdir()
    (trees[1] / "etc" / "other" / "inside").write_text("x")

    assert names(*trees) == ["etc", "etc/other", "etc/other/inside"]


def test_hard_links_are_stored_once(trees: tuple[Path, Path]):
    (trees[1] / "new").write_text("content")
    (trees[1] / "twin").hardlink_to(trees[1] / "new")

    assert [(m.name, m.islnk(), m.linkname) for m in written(*trees)] == [
        ("new", False, ""),
        ("twin", True, "new"),
    ]


def test_devices_and_pipes_stay_out(trees: tuple[Path, Path]):
    os.mkfifo(trees[1] / "pipe")

    assert names(*trees) == []


def test_layers_carry_no_times_and_no_names_of_owners(trees: tuple[Path, Path]):
    assert {(m.mtime, m.uname, m.gname) for m in written(None, trees[1])} == {(0, "", "")}


def test_a_layer_put_on_the_lower_tree_gives_the_upper(trees: tuple[Path, Path]):
    lower, upper = trees
    (upper / "etc" / "new").write_text("new")
    (upper / "etc" / "kept").write_text("changed")
    written(lower, upper)
    with tarfile.open(upper.parent / "layer.tar") as archive:
        archive.extractall(lower, filter="fully_trusted")  # noqa: S202  # our own layer

    assert list(layer.difference(lower, upper)) == []


def test_files_and_links_get_their_folders_and_modes(tmp_path: Path):
    (tmp_path / "binary").write_bytes(b"\x7fELF")
    (tmp_path / "schema" / "v12").mkdir(parents=True)
    (tmp_path / "schema" / "v12" / "schema.sql").write_text("create")
    files = {
        "/usr/local/bin/tool": layer.Entry(tmp_path / "binary", 0o755),
        "/etc/schema": layer.Entry(tmp_path / "schema"),
    }
    layer.write_files(files, {"/tool": "usr/local/bin/tool"}, tmp_path / "layer.tar")

    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert [(m.name, oct(m.mode), m.linkname, m.uid, m.mtime) for m in archive.getmembers()] == [
            ("etc", "0o755", "", 0, 0),
            ("etc/schema", "0o755", "", 0, 0),
            ("etc/schema/v12", "0o755", "", 0, 0),
            ("etc/schema/v12/schema.sql", "0o644", "", 0, 0),
            ("tool", "0o777", "usr/local/bin/tool", 0, 0),
            ("usr", "0o755", "", 0, 0),
            ("usr/local", "0o755", "", 0, 0),
            ("usr/local/bin", "0o755", "", 0, 0),
            ("usr/local/bin/tool", "0o755", "", 0, 0),
        ]
