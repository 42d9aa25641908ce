"""The layer cache: every layer is a file named by what it is made from, made at most once."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.images import layer, oci, rootfs
from lab.images.table import BASE, SUITE, USERS, DebianLayer
from lab.toolchain import store
from lab.toolchain.progress import Progress

# Raise it when the code that makes layers changes what comes out.
_FORMAT = 1
# Two layers are made at a time, each laid out twice as files before it is packed.
_NEEDED_MIB = 2500


def key(*parts: object) -> str:
    """Return twelve hex digits over what a layer is made from."""
    return hashlib.sha256(json.dumps([_FORMAT, *parts], sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that may not be made yet.

    Attributes:
        name: Name in the cache; decides the content.
        what: What it is, for people.
        make: Given an empty folder to work in, writes the layer to the given file.
    """

    name: str
    what: str
    make: Callable[[Path, Path], None]

    @property
    def path(self) -> Path:
        """Where it is once made."""
        return _root() / "layers" / f"{self.name}.tar"


def base(mmdebstrap: Path) -> Layer:
    """Return the Debian base that nearly all images share."""

    def make(folder: Path, output: Path) -> None:
        root = folder / "root"
        root.mkdir()
        rootfs.make_base(root, mmdebstrap, _log("base"))
        layer.write_difference(None, root, output)

    return Layer(f"base-{key(SUITE, asdict(BASE), [asdict(user) for user in USERS])}", "Debian base", make)


def debian(wanted: DebianLayer, below: Sequence[Layer], mmdebstrap: Path) -> Layer:
    """Return a layer of Debian packages for the layers `below`."""

    def change(root: Path) -> None:
        rootfs.add_packages(wanted, root, mmdebstrap, _log(wanted.name))

    name = f"{wanted.name}-{key(_identity(below), asdict(wanted))}"
    return Layer(name, f"packages {' '.join(wanted.packages)}", _on_top(below, change))


def dependencies(requirements: Path, below: Sequence[Layer]) -> Layer:
    """Return a layer of Python distributions for the layers `below`."""

    def change(root: Path) -> None:
        rootfs.add_dependencies(requirements, root, _log("dependencies"))

    name = f"dependencies-{key(_identity(below), requirements.read_text())}"
    return Layer(name, "the worker's dependencies", _on_top(below, change))


def files(label: str, content: Mapping[str, layer.Entry], links: Mapping[str, str], inputs: str) -> Layer:
    """Return a layer of plain files and links; `inputs` stands for the files' contents."""

    def make(_folder: Path, output: Path) -> None:
        layer.write_files(content, links, output)

    recipe = key(inputs, {name: entry.mode for name, entry in content.items()}, dict(links))
    return Layer(f"{label}-{recipe}", label, make)


def obtain(wanted: Layer, progress: Progress) -> oci.Blob:
    """Return a layer, after making it if it is not in the cache; those below it must be there."""
    if not wanted.path.exists():
        lock = paths.cache_dir() / "locks" / f"layer-{wanted.name}"
        with store.locked(lock, lambda: progress.note(f"waiting for another run that makes {wanted.what}")):
            if not wanted.path.exists():
                _check_disk(wanted.what)
                with (
                    progress.step(f"image layer: {wanted.what}"),
                    store.making(_root(), wanted.name) as folder,
                ):
                    wanted.make(folder, folder / "layer.tar")
                    store.publish(folder / "layer.tar", wanted.path)
    return oci.layer(wanted.path)


def _identity(below: Sequence[Layer]) -> list[str]:
    """Tell what lies below: the base by its content, since Debian changes under the same recipe."""
    lowest = below[0]
    content = oci.layer(lowest.path).digest if lowest.path.exists() else "not made yet"
    return [content, *(entry.name for entry in below[1:])]


def _on_top(below: Sequence[Layer], change: Callable[[Path], None]) -> Callable[[Path, Path], None]:
    """Lay the trees of `below` out twice, change one, and keep the difference."""

    def make(folder: Path, output: Path) -> None:
        lower, upper = folder / "lower", folder / "upper"
        for root in (lower, upper):
            _unpack(below, root)
        change(upper)
        layer.write_difference(lower, upper, output)

    return make


def _unpack(layers: Sequence[Layer], root: Path) -> None:
    root.mkdir()
    for entry in layers:
        with tarfile.open(entry.path) as archive:
            archive.extractall(root, numeric_owner=True, filter="fully_trusted")  # noqa: S202  # our own layer


def _check_disk(what: str) -> None:
    folder = paths.cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free >> 20
    if free < _NEEDED_MIB:
        raise LabError(
            f"disk: making image layers ({what}) needs about {_NEEDED_MIB} MiB, {free} MiB are free at {folder}; "
            "free some, for instance by: go clean -cache"
        )


def _root() -> Path:
    return paths.cache_dir() / "images"


def _log(name: str) -> Path:
    return paths.cache_dir() / "logs" / f"image-{name}.log"
