"""From settings to the stack's outputs: what should be running, and where. Pure but for two addresses."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra import names
from infra.images import records, reference
from infra.labels import selector_text
from infra.outputs import ComponentOutput, Outputs, OutputValue, Survives, TenantOutput
from infra.pools import pools_of
from infra.services import BALANCER_PORT, SERVICES
from infra.settings import Settings


def outputs_of(
    settings: Settings,
    *,
    frontend_address: pulumi.Output[str],
    ui_url: pulumi.Output[str],
    codec_url: OutputValue | None,
    own_images: Mapping[str, str],
) -> Outputs:
    """Return the outputs of a stack.

    Args:
        settings: What the stack decides.
        frontend_address: Host and port of the load balancer.
        ui_url: Where the web interface is.
        codec_url: Where payloads are decrypted for people, if anywhere.
        own_images: Reference by component, of the images whose tag follows their sources.
    """
    direct = names.host(names.DIRECT_SERVICE, settings.cluster.namespace, settings.cluster.dns_domain)
    file = settings.tenants_file()
    return Outputs(
        kubernetes_namespace=settings.cluster.namespace,
        frontend_address=frontend_address,
        frontend_headless_address=f"{direct}:{BALANCER_PORT}",
        ui_url=ui_url,
        codec_url=codec_url or "",
        temporal_namespaces=[namespace.name for namespace in file.all_namespaces()],
        tenants={
            tenant.name: TenantOutput(
                strategy=str(tenant.strategy),
                namespace=file.namespace_of(tenant),
                task_queue=tenant.task_queue,
                workers=names.pool(tenant.worker_pool),
            )
            for tenant in settings.tenants
        },
        persistence={"kind": settings.persistence.kind, "survives": survives(settings)},
        zones=list(settings.cluster.zones),
        components=components(settings),
        versions={
            name: own_images.get(name) or reference(image) for name, image in records(settings.images).items()
        },
        is_drill_allowed=settings.drills.is_allowed,
    )


def survives(settings: Settings) -> Survives:
    """Return what the stores may lose and still take writes, none of them lost.

    A commit needs the primary and one synchronous standby: of n instances, n - 2 may be gone.
    """
    postgres = settings.persistence.postgres
    if postgres is None:
        return Survives(zones=None, instances=None)
    return Survives(zones=1, instances=postgres.instances - 2)


def components(settings: Settings) -> dict[str, ComponentOutput]:
    """Return what should be running, by the name of its pods."""
    replicas = {names.server(spec.name): getattr(settings.temporal, spec.name).replicas for spec in SERVICES}
    replicas |= {names.BALANCER: settings.load_balancer.replicas, names.UI: settings.ui.replicas}
    replicas |= {names.pool(pool.name): pool.replicas for pool in pools_of(settings)}
    if settings.is_encrypted and settings.codec_server.is_enabled:
        replicas[names.CODEC_SERVER] = settings.codec_server.replicas
    found = {name: _component(selector_text(name), count, settings) for name, count in replicas.items()}
    if postgres := settings.persistence.postgres:
        found[names.POSTGRES] = _component(
            f"cnpg.io/cluster={names.POSTGRES},cnpg.io/podRole=instance", postgres.instances, settings
        )
        found[names.POOLER] = _component(
            f"cnpg.io/poolerName={names.POOLER}", postgres.pooler.instances, settings
        )
        if postgres.zone_watcher.is_enabled:
            found[names.ZONE_WATCHER] = _component(
                selector_text(names.ZONE_WATCHER), len(settings.cluster.zones), settings
            )
    return found


def _component(selector: str, replicas: int, settings: Settings) -> ComponentOutput:
    return ComponentOutput(
        selector=selector, replicas=replicas, zones=min(replicas, len(settings.cluster.zones))
    )
