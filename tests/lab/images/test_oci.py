import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from lab.images import oci

RUN = oci.RunConfig(
    user="1000:1000",
    command=("/hammer", "--now"),
    environment={"PATH": "/bin", "LANG": "C.UTF-8"},
    directory="/work",
)


@pytest.fixture
def layers(tmp_path: Path) -> list[oci.Blob]:
    for name in ("base", "top"):
        (tmp_path / f"{name}.tar").write_bytes(name.encode() * 700)
    return [oci.layer(tmp_path / "base.tar"), oci.layer(tmp_path / "top.tar")]


def exported(*images: oci.BuiltImage) -> dict[str, bytes]:
    output = io.BytesIO()
    oci.export(images, output)
    output.seek(0)
    with tarfile.open(fileobj=output) as archive:
        members = archive.getmembers()
        assert len({member.name for member in members}) == len(members)
        return {member.name: archive.extractfile(member).read() for member in members}  # pyright: ignore[reportOptionalMemberAccess]


def follow(files: dict[str, bytes], descriptor: dict) -> bytes:
    """Return what a descriptor points at, after checking its digest and size as the specification asks."""
    algorithm, digits = descriptor["digest"].split(":")
    content = files[f"blobs/{algorithm}/{digits}"]
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (digits, descriptor["size"])
    return content


def test_an_archive_is_an_image_layout_that_leads_to_every_layer(layers: list[oci.Blob]):
    image = oci.image("lab.local/hammer:1.2", layers, RUN)
    files = exported(image)

    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files["index.json"])
    assert index["manifests"] == [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": image.digest,
            "size": image.manifest.size,
            "platform": {"architecture": "amd64", "os": "linux"},
            "annotations": {
                "io.containerd.image.name": "lab.local/hammer:1.2",
                "org.opencontainers.image.ref.name": "lab.local/hammer:1.2",
            },
        }
    ]
    manifest = json.loads(follow(files, index["manifests"][0]))
    assert manifest["schemaVersion"] == 2
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.oci.image.layer.v1.tar"
    ] * 2
    assert [follow(files, layer)[:4] for layer in manifest["layers"]] == [b"base", b"topt"]
    assert json.loads(follow(files, manifest["config"])) == {
        "created": "1970-01-01T00:00:00Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": "1000:1000",
            "Env": ["LANG=C.UTF-8", "PATH=/bin"],
            "Cmd": ["/hammer", "--now"],
            "WorkingDir": "/work",
            "Labels": {},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "routerfleet lab image"}] * 2,
    }


def test_images_share_the_blobs_they_have_in_common(layers: list[oci.Blob]):
    files = exported(oci.image("lab.local/one:1", layers[:1], RUN), oci.image("lab.local/two:1", layers, RUN))

    # Two layers, two configurations, two manifests; the layout and the index.
    assert len(files) == 8


def test_the_same_inputs_give_the_same_bytes(layers: list[oci.Blob]):
    archives: list[bytes] = []
    for _ in range(2):
        output = io.BytesIO()
        oci.export([oci.image("lab.local/hammer:1.2", layers, RUN)], output)
        archives.append(output.getvalue())

    assert archives[0] == archives[1]
    assert (
        oci.image("lab.local/hammer:1.2", layers, RUN).digest
        == "sha256:3e90ec9164ea5e585cd7115ecd6aa0aae2d663c20c204cbf52d68921856f996a"
    )


def test_the_name_is_not_part_of_the_digest(layers: list[oci.Blob]):
    assert oci.image("a:1", layers, RUN).digest == oci.image("b:2", layers, RUN).digest
    assert oci.image("a:1", layers, RUN).digest != oci.image("a:1", layers[::-1], RUN).digest
