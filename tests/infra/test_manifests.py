"""The cache of pinned manifests."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from infra import manifests
from infra.manifests import Manifest, ManifestError, fetch, load

CONTENT = b"kind: Namespace\n---\n---\nkind: Service\n"
MANIFEST = Manifest(
    name="x.yaml",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    module="example.net/x@v1",
    module_path="x.yaml",
    url="https://example.net/x.yaml",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROUTERFLEET_CACHE", str(tmp_path))
    return tmp_path / "manifests"


def sources(monkeypatch: pytest.MonkeyPatch, module: bytes | None, release: bytes | None) -> None:
    def answer(content: bytes | None) -> bytes:
        if content is None:
            raise OSError("no route")
        return content

    monkeypatch.setattr(manifests, "_from_module", lambda _: answer(module))
    monkeypatch.setattr(manifests, "_from_release", lambda _: answer(release))


def test_a_missing_manifest_names_the_command() -> None:
    with pytest.raises(
        ManifestError, match=r"^x\.yaml is not in the cache: run `python -m infra\.manifests fetch`$"
    ):
        load(MANIFEST)


def test_objects_come_from_the_cache(cache: Path) -> None:
    cache.mkdir()
    (cache / "x.yaml").write_bytes(CONTENT)

    assert load(MANIFEST) == [{"kind": "Namespace"}, {"kind": "Service"}]


def test_a_manifest_that_was_changed_is_refused(cache: Path) -> None:
    cache.mkdir()
    (cache / "x.yaml").write_bytes(CONTENT + b"# changed\n")

    with pytest.raises(ManifestError, match=r"^x\.yaml from .* has checksum .*, not .*; delete it and run"):
        load(MANIFEST)


def test_fetching_takes_the_first_source_that_has_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources(monkeypatch, module=None, release=CONTENT)

    assert fetch(MANIFEST) == "release page"
    assert (cache / "x.yaml").read_bytes() == CONTENT
    assert fetch(MANIFEST) == "cache"


def test_fetching_repairs_a_changed_file_and_leaves_nothing_else(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    (cache / "x.yaml").write_bytes(CONTENT[:5])
    sources(monkeypatch, module=CONTENT, release=None)

    assert fetch(MANIFEST) == "Go module"
    assert [path.name for path in cache.iterdir()] == ["x.yaml"]


def test_a_source_with_other_content_is_not_taken(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources(monkeypatch, module=b"something else", release=None)

    with pytest.raises(
        ManifestError, match=r"^cannot get x\.yaml: cache: .*; Go module: .*checksum.*; release page: "
    ):
        fetch(MANIFEST)
    assert not (cache / "x.yaml").exists()


def test_the_pin_is_a_checksum_and_a_version() -> None:
    pin = dataclasses.asdict(manifests.CLOUDNATIVE_PG)

    assert all("1.28.1" in pin[key] for key in ("name", "module", "module_path", "url"))
    assert len(pin["sha256"]) == 64
