"""The OCI image format: descriptors, configuration, manifest, and archives of several images.

Written by hand from the image specification 1.0 (what containerd 1.6 reads). Everything is
deterministic: the same layers and configuration give the same bytes and so the same digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeAlias

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
# containerd names an imported image by the first, other tools find it by the second.
CONTAINERD_NAME = "io.containerd.image.name"
REFERENCE_NAME = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int"


@dataclass(frozen=True, slots=True)
class Blob:
    """Content addressed by its digest, in memory or in a file.

    Attributes:
        media_type: What it is.
        digest: `sha256:` and 64 hex digits.
        size: Bytes.
        content: The bytes, or the file that holds them.
    """

    media_type: str
    digest: str
    size: int
    content: bytes | Path

    def descriptor(self) -> dict[str, Json]:
        """Return how other objects refer to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How a container of the image runs unless its manifest says otherwise.

    Attributes:
        user: Numeric user and group, `1000:1000`.
        command: Default command.
        environment: Variables; PATH is always among them.
        directory: Working directory.
        labels: What people want to know about the image.
    """

    user: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image ready to be imported, exported or pushed.

    Attributes:
        name: Full name with tag.
        manifest: The manifest; its digest is the image's.
        blobs: Configuration and layers that the manifest names, in its order.
    """

    name: str
    manifest: Blob
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        """Digest by which registries and containerd know this exact image."""
        return self.manifest.digest


def blob(media_type: str, content: bytes) -> Blob:
    """Return `content` as a blob."""
    return Blob(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content)


def layer(path: Path) -> Blob:
    """Return an uncompressed layer file as a blob; reads it once to know its digest."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Blob(LAYER, f"sha256:{digest}", path.stat().st_size, path)


def image(name: str, layers: Sequence[Blob], run: RunConfig) -> BuiltImage:
    """Assemble an image of uncompressed `layers`, lowest first."""
    config = blob(CONFIG, _json(_configuration(layers, run)))
    manifest: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [entry.descriptor() for entry in layers],
    }
    return BuiltImage(name, blob(MANIFEST, _json(manifest)), (config, *layers))


def export(images: Sequence[BuiltImage], output: IO[bytes]) -> None:
    """Write one OCI archive (a tar of an image layout) with all `images`; shared blobs only once."""
    index: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [_index_entry(entry) for entry in images],
    }
    blobs = {content.digest: content for entry in images for content in (entry.manifest, *entry.blobs)}
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json(index))
        for digest in sorted(blobs):
            _add(archive, f"blobs/{digest.replace(':', '/')}", blobs[digest].content)


def _configuration(layers: Sequence[Blob], run: RunConfig) -> dict[str, Json]:
    return {
        "created": EPOCH,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": run.user,
            "Env": [f"{name}={value}" for name, value in sorted(run.environment.items())],
            "Cmd": list(run.command),
            "WorkingDir": run.directory,
            "Labels": dict(run.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [entry.digest for entry in layers]},
        "history": [{"created": EPOCH, "created_by": "routerfleet lab image"} for _ in layers],
    }


def _index_entry(entry: BuiltImage) -> dict[str, Json]:
    return {
        **entry.manifest.descriptor(),
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {CONTAINERD_NAME: entry.name, REFERENCE_NAME: entry.name},
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    else:
        entry.size = content.stat().st_size
        with content.open("rb") as handle:
            archive.addfile(entry, handle)


def _json(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
