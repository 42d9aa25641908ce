from pathlib import Path

import pytest

from lab.errors import LabError
from lab.images import oci, push

IMAGE = oci.image("lab.local/hammer:1.2", [], oci.RunConfig("1:1", ("/hammer",), {}))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:5000/routerfleet", ("127.0.0.1:5000", "routerfleet", None)),
        ("registry.example.com/team/worker", ("registry.example.com", "team/worker", None)),
        ("localhost/worker:v1", ("localhost", "worker", "v1")),
    ],
)
def test_destinations_are_registry_repository_and_tag(text: str, parts: tuple[str, str, str | None]):
    assert push.parse(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "worker",
        "team/worker",
        "registry.example.com/",
        "registry.example.com/Team/worker",
        "https://registry.example.com/worker",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str):
    with pytest.raises(LabError) as caught:
        push.parse(text)

    assert str(caught.value) == (
        f"--push {text!r} is not REGISTRY/REPOSITORY, for instance registry.example.com/team/routerfleet-worker"
    )


@pytest.mark.parametrize(
    ("registry", "is_loopback"),
    [
        ("127.0.0.1:5000", True),
        ("localhost:5000", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("localhost.example.com", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(registry: str, is_loopback: bool):
    assert push.is_loopback(registry) == is_loopback


def test_an_archive_is_written_whole(tmp_path: Path):
    push.write(IMAGE, tmp_path / "image.tar")

    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
    assert oct((tmp_path / "image.tar").stat().st_mode) == "0o100644"


def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path):
    with pytest.raises(LabError) as caught:
        push.write(IMAGE, tmp_path / "missing" / "image.tar")

    assert (
        str(caught.value)
        == f"cannot write the image to {tmp_path}/missing/image.tar: No such file or directory"
    )
