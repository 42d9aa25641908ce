"""The watcher image's tag: a hash of the sources that it is made from.

The image builder tags with it and the infrastructure rolls the pods by it. Works in a checkout, not inside the image.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).parent


def image_sources(checkout: Path = _PACKAGE.parent) -> list[Path]:
    """Return the modules that go into the image, sorted."""
    return sorted((checkout / _PACKAGE.name).rglob("*.py"))


def image_tag(checkout: Path = _PACKAGE.parent) -> str:
    """Return `src-` and 12 hex digits over paths and contents of the sources.

    Args:
        checkout: The folder that holds `zone_watcher/`. Default: the one this module is in.
    """
    digest = hashlib.sha256()
    for path in image_sources(checkout):
        content = path.read_bytes()
        # Lengths are part of the hash, so that no two layouts of files can run together to the same bytes.
        digest.update(f"{path.relative_to(checkout).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"src-{digest.hexdigest()[:12]}"
