"""A kubeconfig, reduced to what one connection needs. Reads files, opens no connection."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab.provider.errors import UnreachableError
from lab.provider.values import Json, Object, at, items, section, text


@dataclass(frozen=True)
class Connection:
    """Where the API server is and how to speak to it."""

    server: str
    """Base URL without a slash at the end."""
    namespace: str
    """Namespace of objects that name none."""
    tls: ssl.SSLContext = field(repr=False)
    """Trust and client certificate."""
    headers: dict[str, str] = field(repr=False, default_factory=dict[str, str])
    """Authorization, where the user has a token."""


def load(kubeconfig: str = "", context: str = "", cluster: str = "") -> Connection:
    """Return the connection of a kubeconfig.

    Args:
        kubeconfig: its text or its path; empty for `$KUBECONFIG`, else `~/.kube/config`.
        context: empty for the current context.
        cluster: empty for the context's cluster.

    Raises:
        UnreachableError: the kubeconfig cannot be read or names no usable cluster.
    """
    document, base = read(kubeconfig)
    chosen = context or text(document, "current-context")
    entry = named(document, "contexts", "context", chosen)
    if entry is None:
        known = ", ".join(text(item, "name") for item in items(document, "contexts")) or "none"
        raise UnreachableError(f"the kubeconfig has no context {chosen!r}; it has: {known}")
    target = named(document, "clusters", "cluster", cluster or text(entry, "cluster")) or {}
    user = named(document, "users", "user", text(entry, "user")) or {}
    server = text(target, "server").rstrip("/")
    if not server:
        raise UnreachableError(f"context {chosen!r} of the kubeconfig names no cluster with a server")
    for unsupported in ("exec", "auth-provider", "username"):
        if unsupported in user:
            raise UnreachableError(
                f"context {chosen!r}: users with {unsupported!r} are not supported by this plugin"
            )
    token = text(user, "token") or (
        file_text(base, text(user, "tokenFile")).strip() if "tokenFile" in user else ""
    )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Connection(server, text(entry, "namespace") or "default", tls(target, user, base), headers)


def read(kubeconfig: str) -> tuple[Object, Path]:
    """Return the document of a kubeconfig and the folder its relative paths start from."""
    spelled, base = (
        kubeconfig or os.environ.get("KUBECONFIG", "") or str(Path.home() / ".kube" / "config"),
        Path(),
    )
    if "\n" not in spelled and not spelled.lstrip().startswith("{"):
        if os.pathsep in spelled:
            raise UnreachableError(
                f"kubeconfig {spelled}: a list of files is not supported by this plugin; name one"
            )
        base = Path(spelled).parent
        spelled = file_text(Path(), spelled)
    try:
        document: Json = yaml.safe_load(spelled)
    except yaml.YAMLError as error:
        raise UnreachableError(f"the kubeconfig is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(document, dict):
        raise UnreachableError("the kubeconfig is not a YAML object")
    return document, base


def named(document: Object, collection: str, member: str, name: str) -> Object | None:
    """Return the named entry of one of a kubeconfig's lists."""
    return next(
        (section(item, member) for item in items(document, collection) if text(item, "name") == name), None
    )


def file_text(base: Path, name: str) -> str:
    """Return a file's text.

    Raises:
        UnreachableError: it cannot be read.
    """
    path = base / Path(name).expanduser()
    try:
        return path.read_text()
    except OSError as error:
        raise UnreachableError(f"cannot read {path}: {error.strerror}") from error


def inline_or_file(entry: Object, key: str, base: Path) -> str:
    """Return certificate data given inline (`<key>-data`) or as a file (`<key>`), empty where there is none."""
    if inline := text(entry, f"{key}-data"):
        return base64.b64decode(inline).decode()
    return file_text(base, text(entry, key)) if at(entry, key) else ""


def tls(cluster: Object, user: Object, base: Path) -> ssl.SSLContext:
    """Return trust and client certificate of a connection."""
    try:
        authority = inline_or_file(cluster, "certificate-authority", base)
        found = ssl.create_default_context(cadata=authority or None)
        if cluster.get("insecure-skip-tls-verify") is True:
            found.check_hostname = False
            found.verify_mode = ssl.CERT_NONE
        certificate, key = (
            inline_or_file(user, "client-certificate", base),
            inline_or_file(user, "client-key", base),
        )
        if certificate and key:
            # The standard library loads a certificate from a file only; this one is readable by us alone and short-lived.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
                pem.write(f"{certificate}\n{key}")
                pem.flush()
                found.load_cert_chain(pem.name)
    except (ssl.SSLError, ValueError) as error:
        raise UnreachableError(f"the kubeconfig's certificates cannot be used: {error}") from error
    return found
