"""The worker image's tag: a hash of what the image is made from.

Standard library only. The image builder tags with it and the infrastructure rolls the pods by it, so that a
change of code is a change of tag and nothing else is. Works in a checkout, not inside the image.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGE = Path(__file__).parent
_REQUIREMENTS = Path("requirements/worker.txt")
_BENCH = "bench"


class ReleaseError(RuntimeError):
    """The tag cannot be computed; the message is one line for people."""


def image_sources(checkout: Path) -> list[Path]:
    """Return the modules that go into the image, sorted: all of the package but its benchmarks."""
    package = checkout / _PACKAGE.name
    return sorted(path for path in package.rglob("*.py") if path.relative_to(package).parts[0] != _BENCH)


def image_tag(checkout: Path = _PACKAGE.parent) -> str:
    """Return `src-` and 12 hex digits over the worker's sources and its pinned requirements.

    Paths count as well as contents, so that a renamed module is another image. File modes and times do not.

    Args:
        checkout: The folder that holds `worker/` and `requirements/`. Default: the one this module is in.

    Raises:
        ReleaseError: When a part is missing, that is, outside a checkout.
    """
    requirements = checkout / _REQUIREMENTS
    sources = image_sources(checkout)
    if not sources or not requirements.is_file():
        raise ReleaseError(f"{checkout} holds no worker sources with {_REQUIREMENTS}: run this in a checkout")
    digest = hashlib.sha256()
    for path in (requirements, *sources):
        content = path.read_bytes()
        # Lengths are part of the hash, so that no two layouts of files can run together to the same bytes.
        digest.update(f"{path.relative_to(checkout).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"src-{digest.hexdigest()[:12]}"
