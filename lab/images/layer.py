"""Layers: the difference between two file trees, or a few files, as a deterministic tar.

Entries are sorted, times are zero, owners are numbers. A name that is gone in the upper tree is
written as the specification's whiteout, an empty file `.wh.NAME`.
"""

from __future__ import annotations

import filecmp
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

WHITEOUT = ".wh."


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link to put into a layer from a path on this machine.

    Attributes:
        source: Where its content is; a folder brings everything below it.
        mode: Permissions of files; a folder and its folders get 0755.
    """

    source: Path
    mode: int = 0o644


def difference(lower: Path | None, upper: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield what `upper` has besides `lower`, parents first; None stands for a name that is gone.

    Args:
        lower: Root of the tree below; None when there is none.
        upper: Root of the tree to express.
    """
    yield from _difference(lower, upper, "")


def write_difference(lower: Path | None, upper: Path, output: Path) -> None:
    """Write the layer that turns the tree `lower` into the tree `upper`."""
    with _layer(output) as archive:
        links: dict[int, str] = {}
        for name, path in difference(lower, upper):
            if path is None:
                parent, _, last = name.rpartition("/")
                _add_bytes(archive, f"{parent}/{WHITEOUT}{last}".lstrip("/"), b"", 0o644)
            else:
                _add_path(archive, name, path, links)


def write_files(files: Mapping[str, Entry], links: Mapping[str, str], output: Path) -> None:
    """Write a layer of `files` and symbolic `links` by their path in the image, owned by root."""
    content = dict(_expanded(files))
    with _layer(output) as archive:
        folders = {str(parent) for name in (*content, *links) for parent in Path(name).parents} - {".", "/"}
        for name in sorted(folders | set(content) | set(links)):
            info = _info(name.lstrip("/"))
            if name in links:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, links[name], 0o777
                archive.addfile(info)
            elif name in content:
                _add_bytes(archive, info.name, content[name].source.read_bytes(), content[name].mode)
            else:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)


def _expanded(files: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    for name, entry in files.items():
        if entry.source.is_dir():
            for path in sorted(entry.source.rglob("*")):
                if path.is_file():
                    yield f"{name}/{path.relative_to(entry.source)}", Entry(path, entry.mode)
        else:
            yield name, entry


def _difference(lower: Path | None, upper: Path, prefix: str) -> Iterator[tuple[str, Path | None]]:
    below = _names(lower)
    above = _names(upper)
    for gone in sorted(below - above):
        yield f"{prefix}{gone}", None
    for name in sorted(above):
        new = upper / name
        old = lower / name if lower is not None and name in below else None
        inside = list(_inside(old, new, f"{prefix}{name}/"))
        # A parent that did not change is repeated only when something below it did.
        if inside or old is None or not _is_same(old, new):
            yield f"{prefix}{name}", new
        yield from inside


def _inside(old: Path | None, new: Path, prefix: str) -> Iterator[tuple[str, Path | None]]:
    if not _is_folder(new):
        return iter(())
    return _difference(old if old is not None and _is_folder(old) else None, new, prefix)


def _is_same(old: Path, new: Path) -> bool:
    one, two = old.lstat(), new.lstat()
    if (one.st_mode, one.st_uid, one.st_gid) != (two.st_mode, two.st_uid, two.st_gid):
        return False
    if stat.S_ISLNK(one.st_mode):
        return old.readlink() == new.readlink()
    return not stat.S_ISREG(one.st_mode) or (
        one.st_size == two.st_size and filecmp.cmp(old, new, shallow=False)
    )


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _names(folder: Path | None) -> set[str]:
    return set(os.listdir(folder)) if folder is not None else set()  # noqa: PTH208  # names, not paths


def _layer(output: Path) -> tarfile.TarFile:
    return tarfile.open(output, mode="w", format=tarfile.PAX_FORMAT)


def _info(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mtime = 0
    return info


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = _info(name)
    info.mode, info.size = mode, len(content)
    archive.addfile(info, io.BytesIO(content))


def _add_path(archive: tarfile.TarFile, name: str, path: Path, links: dict[int, str]) -> None:
    status = path.lstat()
    info = _info(name)
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif not stat.S_ISREG(status.st_mode):
        return  # devices and sockets: a container gets its own
    elif status.st_nlink > 1 and status.st_ino in links:
        info.type, info.linkname = tarfile.LNKTYPE, links[status.st_ino]
    else:
        links[status.st_ino] = name
        info.size = status.st_size
        with path.open("rb") as handle:
            archive.addfile(info, handle)
        return
    archive.addfile(info)
