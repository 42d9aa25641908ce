"""Everything that is looked at before a stack is touched.

That is numbers that do not fit, the server's own validator, and the live cluster. `python -m infra.preflight -s
STACK` runs it alone. Looking (`observe`) and judging (`judge`) are apart, so that every refusal can be tested
without a cluster. Nothing is changed here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

import httpx2
import lightkube
from lightkube.core.exceptions import ApiError, ConfigError
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Secret
from lightkube.resources.storage_v1 import StorageClass

from infra import kubeconfig, names, sizing, tenant_changes
from infra.components.server_config import SHARDS_ANNOTATION
from infra.dynamic_config_check import check_dynamic_config
from infra.images import unpinned
from infra.kubeconfig import KubeconfigError
from infra.labels import ZONE
from infra.settings import Settings, SettingsError, load_stack
from infra.stores import stores_of
from infra.tenant_changes import Departure
from worker.tenancy import SHARED_POOL

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Findings:
    """What preflight found."""

    problems: tuple[str, ...] = ()
    """Reasons to stop, one line each."""
    warnings: tuple[str, ...] = ()
    """Things to know that stop nothing, one line each."""

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.problems + other.problems, self.warnings + other.warnings)


@dataclass(frozen=True)
class ClusterFacts:
    """What was seen of a live cluster."""

    uid: str
    """UID of its kube-system namespace."""
    zones: frozenset[str]
    """Zones that it has nodes in."""
    storage_classes: frozenset[str]
    """Names of its storage classes."""
    secrets: frozenset[str] = frozenset()
    """Names of Secrets in the stack's namespace."""
    history_shards: int | None = None
    """History shards of the Temporal that lives there; none where there is none yet."""
    departures: tuple[tuple[Departure, int | None], ...] = ()
    """Tenants that live there and would leave lanes, with what they have open there; none where unknown."""


def check(settings: Settings) -> Findings:
    """Run every check.

    Args:
        settings: A stack's settings, already valid in themselves.
    """
    findings = Findings(tuple(sizing.problems(settings)), tuple(shortcomings(settings)))
    problems, warnings = check_dynamic_config(settings)
    findings += Findings(tuple(problems), tuple(warnings))
    try:
        facts = observe(settings)
    except ClusterUnavailableError as error:
        return findings + Findings((str(error),))
    return findings + Findings(tuple(judge(settings, facts)))


class ClusterUnavailableError(RuntimeError):
    """The stack's cluster cannot be looked at; the message is one line for people."""


def observe(settings: Settings) -> ClusterFacts:
    """Look at the stack's cluster, and no other.

    Raises:
        ClusterUnavailableError: When kubeconfig has no such context, or the API server does not answer.
    """
    context = settings.cluster.context
    try:
        client = lightkube.Client(kubeconfig.find(context), timeout=httpx2.Timeout(_TIMEOUT_SECONDS))
        return _observe(cast("_Reader", client), settings)
    except KubeconfigError as error:
        raise ClusterUnavailableError(str(error)) from error
    except ConfigError as error:
        raise ClusterUnavailableError(
            f"cluster.context: {context} in kubeconfig cannot be used: {_one_line(error)}"
        ) from error
    except ApiError as error:
        raise ClusterUnavailableError(
            f"cluster.context: the API server of {context} refuses: {_one_line(error)}"
        ) from error
    except (httpx2.HTTPError, OSError) as error:
        raise ClusterUnavailableError(
            f"cluster.context: the API server of {context} does not answer within {_TIMEOUT_SECONDS:.0f} s: "
            f"{_one_line(error)}"
        ) from error


class _Metadata(Protocol):
    name: str
    uid: str
    labels: dict[str, str] | None
    annotations: dict[str, str] | None


class _Object(Protocol):
    """A live object. Its metadata is always there, though the client's own types say perhaps."""

    metadata: _Metadata


class _WithData(Protocol):
    data: dict[str, str] | None


class _Reader(Protocol):
    """The two calls of the client that are used here, with types that say what comes back."""

    def get(self, res: type, name: str, *, namespace: str | None = None) -> _Object: ...

    def list(self, res: type, *, namespace: str | None = None) -> Iterable[_Object]: ...


def _observe(client: _Reader, settings: Settings) -> ClusterFacts:
    namespace = settings.cluster.namespace
    labels = [node.metadata.labels or {} for node in client.list(Node)]
    return ClusterFacts(
        uid=client.get(Namespace, "kube-system").metadata.uid,
        zones=frozenset(found[ZONE] for found in labels if ZONE in found),
        storage_classes=_names(client.list(StorageClass)),
        secrets=_names(client.list(Secret, namespace=namespace))
        if _wanted_secrets(settings)
        else frozenset(),
        history_shards=_live_shards(client, namespace),
        departures=_departures(client, settings),
    )


def _names(items: Iterable[_Object]) -> frozenset[str]:
    return frozenset(item.metadata.name for item in items)


def _find(client: _Reader, kind: type, name: str, namespace: str) -> _Object | None:
    try:
        return client.get(kind, name, namespace=namespace)
    except ApiError as error:
        if error.status.code == HTTPStatus.NOT_FOUND:
            return None
        raise


def _live_shards(client: _Reader, namespace: str) -> int | None:
    config = _find(client, ConfigMap, names.SERVER_CONFIG, namespace)
    noted = (config.metadata.annotations or {}).get(SHARDS_ANNOTATION) if config else None
    return int(noted) if noted else None


def _departures(client: _Reader, settings: Settings) -> tuple[tuple[Departure, int | None], ...]:
    namespace = settings.cluster.namespace
    file = _find(client, ConfigMap, names.TENANTS, namespace)
    # Where workers never were, nothing was deployed, and nobody can be asked.
    if file is None or _find(client, Deployment, names.pool(SHARED_POOL), namespace) is None:
        return ()
    live = (cast("_WithData", file).data or {}).get(names.TENANTS_KEY, "")
    return tuple(
        (departure, tenant_changes.count_open(settings, departure, live))
        for departure in tenant_changes.departures(settings, live)
    )


def judge(settings: Settings, facts: ClusterFacts) -> list[str]:
    """Return one line for each reason not to touch the cluster."""
    cluster = settings.cluster
    found: list[str] = []
    if cluster.uid is not None and cluster.uid != facts.uid:
        found.append(
            f"cluster.uid: context {cluster.context} leads to cluster {facts.uid}, but this stack belongs to "
            f"{cluster.uid}: point the context at the right cluster"
        )
    if missing := [zone for zone in cluster.zones if zone not in facts.zones]:
        found.append(
            f"cluster.zones: {', '.join(missing)} has no node in cluster {cluster.context}; "
            f"its zones are {', '.join(sorted(facts.zones)) or 'none'} (node label {ZONE})"
        )
    if cluster.storage_class is not None and cluster.storage_class not in facts.storage_classes:
        found.append(
            f"cluster.storage_class: {cluster.storage_class} does not exist in cluster {cluster.context}; "
            f"it has {', '.join(sorted(facts.storage_classes)) or 'none'}"
        )
    shards = settings.temporal.history_shards
    if facts.history_shards is not None and facts.history_shards != shards:
        found.append(
            f"temporal.history_shards: {shards} cannot replace {facts.history_shards}: the number is fixed for the "
            "life of a cluster; to change it, replicate to a new cluster"
        )
    found += [
        f"{key}: secret {name} does not exist in namespace {cluster.namespace}"
        for key, name in _wanted_secrets(settings)
        if name not in facts.secrets
    ]
    return found + tenant_changes.problems(settings, facts.departures)


def _wanted_secrets(settings: Settings) -> list[tuple[str, str]]:
    """Return the Secrets that must exist beforehand, each with the key that names it."""
    wanted = [("images.pull_secrets", name) for name in settings.images.pull_secrets]
    if settings.payload_keys_secret:
        wanted.append(("payload_keys_secret", settings.payload_keys_secret))
    wanted += [
        (f"workers.credentials_secret.{name}", secret)
        for name, secret in settings.workers.credentials_secret.items()
    ]
    if settings.persistence.kind == "external":
        for store in stores_of(settings).both():
            key = f"persistence.external.{store.name}"
            wanted.append((f"{key}.password_secret", store.password.name))
            if store.tls and store.tls.ca_secret:
                wanted.append((f"{key}.tls.ca_secret", store.tls.ca_secret.name))
    return wanted


def shortcomings(settings: Settings) -> list[str]:
    """Return what a stack that guards its state still lacks for production, one line each."""
    if not settings.protection.is_enabled:
        return []
    found = [
        "production lacks backups: a deleted or corrupted database cannot be brought back",
        "production lacks mTLS: traffic between clients, servers and database is readable on the network",
        "production lacks an authorizer: whoever reaches the frontend may do anything in any namespace",
    ]
    if not settings.is_encrypted:
        found.append(
            "production lacks payload encryption: whoever reads the database reads every tenant's configuration; "
            "set payload_keys or payload_keys_secret"
        )
    elif settings.codec_server.is_enabled:
        found.append(
            "production lacks network policies: every pod of the cluster can have the codec server decrypt payloads"
        )
    if components := unpinned(settings.images):
        found.append(
            f"images without a digest: {', '.join(components)}; run `python -m infra.images resolve` and paste it"
        )
    return found


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    """Check one stack and say what was found; 1 when something stands in the way, 2 on wrong settings."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.preflight", description="Check a stack and its cluster."
    )
    parser.add_argument("-s", "--stack", default="local")
    parser.add_argument("--json", action="store_true", help="print an object with problems and warnings")
    options = parser.parse_args(arguments)
    try:
        findings, code = check(load_stack(options.stack)), 1
    except SettingsError as error:
        findings, code = Findings(tuple(str(error).splitlines())), 2
    if options.json:
        print(json.dumps({"problems": findings.problems, "warnings": findings.warnings}, indent=2))
    else:
        for warning in findings.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for problem in findings.problems:
            print(f"problem: {problem}", file=sys.stderr)
        if not findings.problems:
            print(f"stack {options.stack}: nothing stands in the way")
    return code if findings.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
