"""Handing an image to the rest of the world: an archive file, a registry."""

from __future__ import annotations

import ipaddress
import re
import tempfile
from pathlib import Path

from lab import paths
from lab.errors import LabError
from lab.images import oci
from lab.toolchain import ensure, run, store
from lab.toolchain.progress import Progress

_DESTINATION = re.compile(
    r"(?P<registry>[a-zA-Z0-9.-]+(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?)/(?P<repository>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>[\w.-]{1,128}))?"
)


def write(image: oci.BuiltImage, output: Path) -> None:
    """Write an image as an OCI archive; the file appears whole or not at all.

    Raises:
        LabError: The folder does not exist or cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            made = Path(file.name)
            try:
                oci.export([image], file)
                made.chmod(0o644)
            except BaseException:
                made.unlink()
                raise
        store.publish(made, output)
    except OSError as error:
        raise LabError(f"cannot write the image to {output}: {error.strerror}") from error


def push(image: oci.BuiltImage, destination: str, progress: Progress) -> str:
    """Push an image to a registry, layers compressed, and return its name there with digest.

    Credentials are those of `skopeo login`. A registry on this machine is spoken to without TLS.

    Args:
        image: What to push.
        destination: `REGISTRY/REPOSITORY`, or with `:TAG` for another tag than the image's own.
        progress: Where to show that it runs.

    Raises:
        LabError: The destination is malformed or the registry refused.
    """
    registry, repository, tag = parse(destination)
    target = f"{registry}/{repository}:{tag or image.name.rpartition(':')[2]}"
    skopeo = ensure(["skopeo"], progress)["skopeo"]
    root = paths.cache_dir() / "images"
    root.mkdir(parents=True, exist_ok=True)
    progress.expect(1)
    with progress.step(f"push {target}"), tempfile.TemporaryDirectory(dir=root, prefix=".push-") as folder:
        archive, digest = Path(folder) / "image.tar", Path(folder) / "digest"
        write(image, archive)
        options = ["--insecure-policy", "copy", "--digestfile", digest]
        if is_loopback(registry):
            options.append("--dest-tls-verify=false")
        run.logged(
            [skopeo, *options, f"oci-archive:{archive}", f"docker://{target}"],
            paths.cache_dir() / "logs" / "push.log",
        )
        return f"{registry}/{repository}@{digest.read_text().strip()}"


def parse(destination: str) -> tuple[str, str, str | None]:
    """Split a destination into registry, repository and tag.

    Raises:
        LabError: It is not of the form `REGISTRY/REPOSITORY[:TAG]`.
    """
    match = _DESTINATION.fullmatch(destination)
    if match is None or not re.search(r"[.:]|^localhost$", match["registry"]):
        raise LabError(
            f"--push {destination!r} is not REGISTRY/REPOSITORY, for instance registry.example.com/team/routerfleet-worker"
        )
    return match["registry"], match["repository"], match["tag"]


def is_loopback(registry: str) -> bool:
    """Tell whether a registry's address is on this machine."""
    host = re.sub(r":\d+$", "", registry).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
