"""Image references and digests."""

from __future__ import annotations

import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from infra import images
from infra.images import reference, resolve, unpinned
from infra.settings.images import Image, Images

DIGEST = "sha256:" + "0" * 64


def image(**values: Any) -> Image:
    return Image(**{"registry": "docker.io", "repository": "a/b", "tag": "1", **values})


@pytest.mark.parametrize(
    ("record", "tag", "found"),
    [
        (image(), None, "docker.io/a/b:1"),
        (image(digest=DIGEST), None, f"docker.io/a/b:1@{DIGEST}"),
        (image(tag=None), "src-1", "docker.io/a/b:src-1"),
        (image(tag="2"), "src-1", "docker.io/a/b:2"),
    ],
)
def test_reference(record: Image, tag: str | None, found: str) -> None:
    assert reference(record, tag) == found


def test_an_image_without_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="images: a/b has no tag"):
        reference(image(tag=None))


def test_components_without_a_digest_are_listed() -> None:
    found = unpinned(Images(haproxy=image(digest=DIGEST)))

    assert "haproxy" not in found
    assert found[0] == "temporal_server"


class Answer:
    """What a registry answers."""

    def __init__(self, headers: dict[str, str], body: bytes = b"") -> None:
        self.headers, self._body = headers, body

    def read(self) -> bytes:
        return self._body

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_a_digest_is_asked_for_with_the_token_that_the_registry_hands_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def urlopen(request: urllib.request.Request | str, timeout: float) -> Answer:
        assert timeout > 0
        if isinstance(request, str):
            asked.append(request)
            return Answer({}, b'{"token": "t"}')
        asked.append(request.full_url)
        if request.get_header("Authorization") != "Bearer t":
            headers = Message()
            headers["WWW-Authenticate"] = 'Bearer realm="https://auth/token",service="r",scope="pull"'
            raise urllib.error.HTTPError(request.full_url, 401, "no", headers, None)
        return Answer({"Docker-Content-Digest": DIGEST})

    monkeypatch.setattr(images.urllib.request, "urlopen", urlopen)

    assert resolve(image(), "1") == DIGEST
    assert asked == [
        "https://registry-1.docker.io/v2/a/b/manifests/1",
        "https://auth/token?service=r&scope=pull",
        "https://registry-1.docker.io/v2/a/b/manifests/1",
    ]


def test_a_registry_that_cannot_be_reached_is_one_line_per_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def urlopen(*_: object, **__: object) -> Answer:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(images.urllib.request, "urlopen", urlopen)

    assert images.main(["resolve", "-s", "staging"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "temporal_server: docker.io/temporalio/server:1.32.1 cannot be resolved: <urlopen error no route>"
    )
    assert len(lines) == 7
