"""The image tag: follows the contents, and nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from worker.release import ReleaseError, image_tag


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "worker" / "sub").mkdir(parents=True)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "worker" / "a.py").write_text("a")
    (tmp_path / "worker" / "sub" / "b.py").write_text("b")
    (tmp_path / "requirements" / "worker.txt").write_text("temporalio")
    return tmp_path


def test_tag_of_this_checkout_has_its_form() -> None:
    assert re.fullmatch(r"src-[0-9a-f]{12}", image_tag())


def test_tag_is_a_function_of_contents(checkout: Path) -> None:
    before = image_tag(checkout)
    os.utime(checkout / "worker" / "a.py", (0, 0))
    (checkout / "worker" / "notes.txt").write_text("not a source")
    (checkout / "worker" / "bench").mkdir()
    (checkout / "worker" / "bench" / "tenants.py").write_text("not in the image")

    assert image_tag(checkout) == before == "src-cc7b251281d8"


@pytest.mark.parametrize("part", ["worker/a.py", "worker/sub/b.py", "requirements/worker.txt"])
def test_tag_changes_with_every_part(checkout: Path, part: str) -> None:
    before = image_tag(checkout)
    (checkout / part).write_text("changed")

    assert image_tag(checkout) != before


def test_tag_changes_with_a_rename(checkout: Path) -> None:
    before = image_tag(checkout)
    (checkout / "worker" / "a.py").rename(checkout / "worker" / "c.py")

    assert image_tag(checkout) != before


def test_tag_needs_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="holds no worker sources"):
        image_tag(tmp_path)
