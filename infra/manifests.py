"""Release manifests of operators: pinned by version and checksum, kept in a cache, never in this repository.

`python -m infra.manifests fetch` fills the cache. The program reads nothing but the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ManifestError(RuntimeError):
    """A manifest is not to be had; the message is one line for people."""


@dataclass(frozen=True)
class Manifest:
    """One pinned file."""

    name: str
    """File name in the cache."""
    sha256: str
    """Checksum of its content."""
    module: str
    """Go module that carries it, with version."""
    module_path: str
    """Its path in the module."""
    url: str
    """Where the project releases it."""


CLOUDNATIVE_PG = Manifest(
    name="cnpg-1.28.1.yaml",
    sha256="25e0c33c234aef3b7c3e05c9959b183a3dff31871ad52b703d766f0a4f406f92",
    module="github.com/cloudnative-pg/cloudnative-pg@v1.28.1",
    module_path="releases/cnpg-1.28.1.yaml",
    url="https://github.com/cloudnative-pg/cloudnative-pg/releases/download/v1.28.1/cnpg-1.28.1.yaml",
)
"""The PostgreSQL operator."""

ALL = (CLOUDNATIVE_PG,)
"""Every manifest that the program reads."""

_TIMEOUT_SECONDS = 300


def cache_dir() -> Path:
    """Return the folder of fetched manifests."""
    if override := os.environ.get("ROUTERFLEET_CACHE"):
        return Path(override) / "manifests"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routerfleet" / "manifests"


def load(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the objects of a manifest, from the cache only.

    Raises:
        ManifestError: When it is not in the cache, or is not what was pinned.
    """
    path = cache_dir() / manifest.name
    if not path.is_file():
        raise ManifestError(f"{manifest.name} is not in the cache: run `python -m infra.manifests fetch`")
    content = path.read_bytes()
    _verify(manifest, content, str(path))
    return [document for document in yaml.load_all(content, Loader=_LOADER) if document]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C loader reads a megabyte of custom resource definitions ten times as fast."""


def fetch(manifest: Manifest) -> str:
    """Put a manifest into the cache, from the first source that has it.

    Returns:
        Where it came from.

    Raises:
        ManifestError: When no source has it, naming what each of them said.
    """
    path = cache_dir() / manifest.name
    said: list[str] = []
    sources: list[tuple[str, Callable[[Manifest], bytes]]] = [
        ("cache", _from_cache),
        ("Go module", _from_module),
        ("release page", _from_release),
    ]
    for name, source in sources:
        try:
            content = source(manifest)
            _verify(manifest, content, name)
        except (OSError, ManifestError, subprocess.SubprocessError, ValueError, KeyError) as error:
            said.append(f"{name}: {' '.join(str(error).split())}")
            continue
        if name != "cache":
            _write(path, content)
        return name
    raise ManifestError(f"cannot get {manifest.name}: {'; '.join(said)}")


def _verify(manifest: Manifest, content: bytes, origin: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise ManifestError(
            f"{manifest.name} from {origin} has checksum {found[:12]}..., not {manifest.sha256[:12]}...; "
            "delete it and run `python -m infra.manifests fetch`"
        )


def _from_cache(manifest: Manifest) -> bytes:
    return (cache_dir() / manifest.name).read_bytes()


def _from_module(manifest: Manifest) -> bytes:
    go = shutil.which("go")
    if go is None:
        raise ManifestError("go is not on PATH")
    command = [go, "mod", "download", "-json", manifest.module]
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    answer = json.loads(result.stdout or "{}")
    if "Dir" not in answer:
        raise ManifestError(answer.get("Error") or result.stderr or "go mod download gave no folder")
    return (Path(answer["Dir"]) / manifest.module_path).read_bytes()


def _from_release(manifest: Manifest) -> bytes:
    with urllib.request.urlopen(manifest.url, timeout=30) as response:  # noqa: S310  # a constant https address
        content: bytes = response.read()
    return content


def _write(path: Path, content: bytes) -> None:
    """Write a file so that an interruption leaves the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Fetch every manifest; 1 when one is not to be had."""
    parser = argparse.ArgumentParser(prog="python -m infra.manifests", description=__doc__)
    parser.add_argument("command", choices=["fetch"])
    parser.parse_args(arguments)
    try:
        for manifest in ALL:
            print(f"{manifest.name}: from {fetch(manifest)}, in {cache_dir()}")
    except ManifestError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
