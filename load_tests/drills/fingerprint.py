"""What defines a stack, as one hash: results under another hash are of another system."""

from __future__ import annotations

import hashlib
from pathlib import Path

_PACKAGES = ("infra", "worker", "zone_watcher")
"""The program and what it deploys. The lab is left out: it hosts the system and is no part of it."""
_NO_PART = frozenset({"__pycache__", "bench"})
"""Benchmarks are not deployed."""
_REQUIREMENTS = Path("requirements/worker.txt")


def sources(root: Path, stack: str) -> list[Path]:
    """Return the files that define a stack, sorted: the packages, its settings and the workers' libraries."""
    found = [
        path
        for package in _PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and not _NO_PART & set(path.relative_to(root).parts)
    ]
    found += [root / _REQUIREMENTS, root / "stacks" / f"Pulumi.{stack}.yaml"]
    return sorted(path for path in found if path.is_file())


def stack_hash(root: Path, stack: str) -> str:
    """Return 12 hex digits over paths and contents of what defines a stack."""
    digest = hashlib.sha256()
    for path in sources(root, stack):
        content = path.read_bytes()
        # Lengths are part of the hash, so that no two layouts of files run together to the same bytes.
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
