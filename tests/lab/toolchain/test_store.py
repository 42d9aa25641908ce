import errno
import os
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.toolchain import store


def test_published_folders_appear_under_their_name(tmp_path: Path):
    with store.making(tmp_path, "hammer") as folder:
        (folder / "made").mkdir()
        (folder / "made" / "file").write_text("content")
        store.publish(folder / "made", tmp_path / "deep" / "final")

    assert (tmp_path / "deep" / "final" / "file").read_text() == "content"
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_leftovers_of_the_same_work_are_removed_and_others_kept(tmp_path: Path):
    (tmp_path / ".making-hammer.old").mkdir()
    (tmp_path / ".making-hammer-2.old").mkdir()

    with store.making(tmp_path, "hammer"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [".making-hammer-2.old"]


def test_a_full_disk_is_one_line(tmp_path: Path):
    with (
        pytest.raises(
            LabError,
            match=f"^disk full at {tmp_path} while making hammer: free some space and run this again$",
        ),
        store.making(tmp_path, "hammer"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert list(tmp_path.iterdir()) == []


def test_other_errors_stay_what_they_are(tmp_path: Path):
    with pytest.raises(PermissionError), store.making(tmp_path, "hammer"):
        raise PermissionError


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path):
    said: list[str] = []
    with store.locked(tmp_path / "locks" / "one", lambda: said.append("waiting")):
        pass

    assert said == []


def test_nothing_is_deleted_through_a_mount():
    with pytest.raises(
        LabError, match=r"^a killed run left /\S* mounted: umount --recursive /\S*, then run this again$"
    ):
        store._refuse_mounts(Path("/"))  # pyright: ignore[reportPrivateUsage]
