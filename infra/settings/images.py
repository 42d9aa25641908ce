"""One image record per component: where it is pulled from and exactly which one."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import AfterValidator, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from infra.settings.base import Model


def _not_latest(tag: str) -> str:
    if tag == "latest":
        raise PydanticCustomError(
            "routerfleet_tag", "latest is no version: two nodes would run different images under it"
        )
    return tag


Tag = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"), AfterValidator(_not_latest)
]
"""A tag that names one version."""


class Image(Model):
    """A container image."""

    registry: str
    """Host of the registry, with port if it has one."""
    repository: str
    """Path of the repository in the registry."""
    tag: Tag | None
    """Tag; `latest` is refused. None only for this project's own images, whose tag is the content hash of their
    sources."""
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Digest that pins the content. Default none, never made up: `python -m infra.images resolve` prints it
    from a reachable registry."""


class Images(Model):
    """The image of each component. A stack may override single fields of a record.

    The defaults are the publishers' own images at the versions that the bundle is tested with.
    """

    temporal_server: Image = Image(registry="docker.io", repository="temporalio/server", tag="1.32.1")
    """Temporal server, all four services. Also the version that schema and dynamic configuration are for."""
    temporal_admin_tools: Image = Image(
        registry="docker.io", repository="temporalio/admin-tools", tag="1.32.1"
    )
    """Schema tools and schema files; same version as the server, whose schema it sets up."""
    temporal_ui: Image = Image(registry="docker.io", repository="temporalio/ui", tag="2.55.0")
    """Temporal UI."""
    haproxy: Image = Image(registry="docker.io", repository="library/haproxy", tag="3.0")
    """HAProxy of the load balancer; 3.0 is a long-term support line."""
    postgresql: Image = Image(registry="ghcr.io", repository="cloudnative-pg/postgresql", tag="17.6")
    """PostgreSQL as CloudNativePG wants it laid out."""
    pgbouncer: Image = Image(registry="ghcr.io", repository="cloudnative-pg/pgbouncer", tag="1.24.1")
    """PgBouncer of the pooler; the version that the operator's release was tested with."""
    cloudnative_pg: Image = Image(
        registry="ghcr.io", repository="cloudnative-pg/cloudnative-pg", tag="1.28.1"
    )
    """CloudNativePG operator; the version of the pinned manifest."""
    worker: Image = Image(registry="lab.local", repository="routerfleet-worker", tag=None)
    """The workers of this project. The tag follows the sources, so a code change rolls the pods."""
    zone_watcher: Image = Image(registry="lab.local", repository="routerfleet-zone-watcher", tag=None)
    """The zone watcher of this project. The tag follows the sources."""
    pull_secrets: tuple[str, ...] = ()
    """Names of existing image pull secrets in the namespace. Default none."""

    # Not every field: what this returns is checked as Python values, where a list is no tuple.
    @field_validator(
        "temporal_server",
        "temporal_admin_tools",
        "temporal_ui",
        "haproxy",
        "postgresql",
        "pgbouncer",
        "cloudnative_pg",
        "worker",
        "zone_watcher",
        mode="before",
    )
    @classmethod
    def _fill_from_default(cls, value: object, info: ValidationInfo) -> object:
        default = cls.model_fields[str(info.field_name)].default
        if isinstance(default, Image) and isinstance(value, dict):
            return {**default.model_dump(), **cast("dict[str, Any]", value)}
        return value
