"""How to log in to routers: folders of small files, as Kubernetes mounts a Secret.

`<folder>/<name>/username` and `password` or `private_key` (OpenSSH), `known_hosts` where wanted. Read anew for
each connection, so that a rotated secret is used at once. Nothing here is ever logged, and `Credentials` does not show itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from worker.errors import CredentialsMissingError

DEFAULT = "default"
"""Name of the credentials of a router whose record names none."""


@dataclass(frozen=True)
class Credentials:
    """A login."""

    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    known_hosts: str = field(default="", repr=False)
    """Host keys of the routers that it opens, in OpenSSH's format. Default none: each record names its own."""


class CredentialStore:
    """Logins by name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, router: str, name: str) -> Credentials:
        """Return the credentials of that name, for that router.

        Raises:
            CredentialsMissingError: When there are none, or neither password nor key.
        """
        if self._folder is None:
            raise CredentialsMissingError(router, "this worker was given no credentials folder")
        folder = self._folder / (name or DEFAULT)
        values = {key: _read(folder / key) for key in ("username", "password", "private_key", "known_hosts")}
        if not values["username"] or not (values["password"] or values["private_key"]):
            raise CredentialsMissingError(
                router, f"credentials {name or DEFAULT!r} need a username and a password or private_key"
            )
        return Credentials(**values)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return ""
