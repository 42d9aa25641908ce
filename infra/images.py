"""Image references, and `python -m infra.images resolve STACK`, which asks the registries for digests."""

from __future__ import annotations

import argparse
import re
import sys
import urllib.error
import urllib.request
from http import HTTPStatus

from infra.settings import SettingsError, load_stack
from infra.settings.images import Image, Images

PULL_POLICY = "IfNotPresent"
"""Tags never move here, so a node that has an image needs no registry to restart a pod."""

_MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TIMEOUT_SECONDS = 10


def records(images: Images) -> dict[str, Image]:
    """Return every image record by component."""
    values = {name: getattr(images, name) for name in type(images).model_fields}
    return {name: value for name, value in values.items() if isinstance(value, Image)}


def reference(image: Image, tag: str | None = None) -> str:
    """Return the reference that a pod names.

    Args:
        image: The record.
        tag: Tag for a record that has none of its own (the worker's).

    Raises:
        ValueError: When neither gives a tag.
    """
    used = image.tag or tag
    if used is None:
        raise ValueError(f"images: {image.repository} has no tag")
    return f"{image.registry}/{image.repository}:{used}" + (f"@{image.digest}" if image.digest else "")


def unpinned(images: Images) -> list[str]:
    """Return the components whose image is pinned by tag only, where a registry could be asked for a digest."""
    return [name for name, image in records(images).items() if image.digest is None]


def resolve(image: Image, tag: str) -> str:
    """Ask the registry for the digest of a tag.

    Raises:
        OSError: When the registry cannot be reached or does not answer with a digest.
    """
    host = "registry-1.docker.io" if image.registry == "docker.io" else image.registry
    url = f"https://{host}/v2/{image.repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(_MANIFEST_TYPES)}
    try:
        return _digest(url, headers)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.UNAUTHORIZED:
            raise
        token = _anonymous_token(error.headers.get("WWW-Authenticate", ""))
        return _digest(url, {**headers, "Authorization": f"Bearer {token}"})


def _digest(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310  # https only, see resolve
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310  # as above
        digest = response.headers.get("Docker-Content-Digest")
    if not digest:
        raise OSError(f"{url} answered without a digest")
    return str(digest)


def _anonymous_token(challenge: str) -> str:
    """Follow the registry's challenge for a token that may pull public images."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.get("realm", "")
    if not realm.startswith("https://"):
        raise OSError(f"the registry asks for credentials ({challenge or 'no challenge'})")
    url = f"{realm}?service={fields.get('service', '')}&scope={fields.get('scope', '')}"
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310  # https, checked above
        found = re.search(r'"(?:access_)?token"\s*:\s*"([^"]+)"', response.read().decode())
    if not found:
        raise OSError(f"{realm} gave no token")
    return found.group(1)


def main(arguments: list[str] | None = None) -> int:
    """Print a digest for each image of a stack, ready to paste into its file; 1 when one is missing."""
    parser = argparse.ArgumentParser(prog="python -m infra.images", description=__doc__)
    parser.add_argument("command", choices=["resolve"])
    parser.add_argument("-s", "--stack", default="production")
    options = parser.parse_args(arguments)
    try:
        images = load_stack(options.stack).images
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    failed = 0
    for name, image in records(images).items():
        if image.tag is None:
            continue
        try:
            print(f"{name}: {{digest: {resolve(image, image.tag)}}}")
        except OSError as error:
            failed = 1
            print(f"{name}: {reference(image)} cannot be resolved: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
