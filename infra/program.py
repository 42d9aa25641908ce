"""The wiring diagram: reads from top to bottom like a picture of the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from infra import manifests, names
from infra.components.cloudnative_pg import CloudNativePg
from infra.components.codec_address import CodecAddress
from infra.components.codec_server import CodecServer
from infra.components.load_balancer import LoadBalancer
from infra.components.namespace import RestrictedNamespace
from infra.components.placement import Placement
from infra.components.postgres_cluster import PostgresCluster
from infra.components.schema_job import SchemaJob
from infra.components.server_config import ServerConfig
from infra.components.temporal_service import TemporalService
from infra.components.temporal_ui import TemporalUi
from infra.components.tenant_reconcile_job import TenantReconcileJob
from infra.components.worker_files import WorkerFiles, WorkerMounts
from infra.components.worker_pool import WorkerEnvironment, WorkerPool
from infra.components.zone_watcher import ZoneWatcher
from infra.images import reference
from infra.outputs import Outputs, OutputValue
from infra.pools import pools_of
from infra.rendering.dynamic_config import render_dynamic_config
from infra.rendering.haproxy import render_haproxy
from infra.rendering.inventory import render_inventory
from infra.rendering.temporal_config import render_temporal_config
from infra.rendering.ui_config import render_ui_config
from infra.report import outputs_of
from infra.services import BALANCER_PORT, SERVICES
from infra.settings import Settings
from infra.sizing import worker_load
from infra.stores import Stores, stores_of
from worker.release import image_tag
from zone_watcher.release import image_tag as watcher_image_tag


@dataclass(frozen=True)
class Release:
    """What is deployed besides configuration: read from disk once, before anything is declared."""

    worker_tag: str
    """Tag of the worker's image, and build id of its workers."""
    watcher_tag: str
    """Tag of the zone watcher's image."""
    operator_manifest: Sequence[Mapping[str, Any]]
    """Objects of CloudNativePG's release manifest; empty where the operator is not ours to install."""

    @classmethod
    def read(cls, settings: Settings) -> Release:
        """Read it.

        Raises:
            ManifestError: When the operator's manifest is not in the cache.
            ReleaseError: When the worker's sources are not there.
        """
        needs_operator = settings.operators.install and settings.persistence.postgres is not None
        return cls(
            worker_tag=settings.images.worker.tag or image_tag(),
            watcher_tag=settings.images.zone_watcher.tag or watcher_image_tag(),
            operator_manifest=manifests.load(manifests.CLOUDNATIVE_PG) if needs_operator else (),
        )


def deploy(settings: Settings, release: Release, payload_keys: pulumi.Output[str] | None = None) -> Outputs:
    """Declare a whole stack.

    Args:
        settings: What the stack decides.
        release: What is deployed.
        payload_keys: The stack's own keyring, a secret of Pulumi's; none where it has none.

    Returns:
        What others need to know of the running stack.
    """
    stack = Stack(settings, release)
    ground = stack.ground()
    stores, database = stores_of(settings), stack.database(ground)
    stack.zone_watcher(database)
    schema = stack.schema(stores, [*ground, *database])
    servers = stack.servers(stores, schema)
    balancer = stack.balancer(servers)
    tenants = stack.tenants(balancer)
    files = stack.worker_files(ground, payload_keys)
    stack.worker_pools([*tenants, *files])
    codec = stack.codec_address(ground)
    ui = stack.ui(balancer, codec)
    if codec is not None:
        stack.codec_server(files, ui)
    return outputs_of(
        settings,
        frontend_address=balancer.address,
        ui_url=ui.url,
        codec_url=stack.codec_endpoint(codec),
        own_images=stack.own_images,
    )


class Stack:
    """One method per part of the picture; each says what it waits for."""

    def __init__(self, settings: Settings, release: Release) -> None:
        self._settings = settings
        self._release = release
        self._placement = Placement.of(settings)
        # In place: by default a changed ConfigMap or Secret is made anew, and pods that start in between fail.
        self._provider = k8s.Provider(
            "cluster",
            context=settings.cluster.context,
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        )
        self.own_images = {
            "worker": reference(settings.images.worker, release.worker_tag),
            "zone_watcher": reference(settings.images.zone_watcher, release.watcher_tag),
        }
        self.worker_image = self.own_images["worker"]
        self._build_id = release.worker_tag if settings.workers.versioning else None
        keyring = names.PAYLOAD_KEYS if settings.payload_keys else settings.payload_keys_secret
        self._mounts = WorkerMounts(
            keyring_secret=keyring, inventory=render_inventory(settings.workers.inventory)
        )

    def _after(self, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(provider=self._provider, depends_on=list(resources))

    def ground(self) -> list[pulumi.Resource]:
        """Declare the namespace that everything stands on, unless it is there already."""
        if not self._settings.cluster.creates_namespace:
            return []
        namespace = RestrictedNamespace(
            self._settings.cluster.namespace,
            is_drill_allowed=self._settings.drills.is_allowed,
            is_protected=self._settings.protection.is_enabled,
            opts=self._after(),
        )
        return [namespace.namespace]

    def database(self, ground: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Declare PostgreSQL and its operator, unless somebody else runs the stores."""
        settings, postgres = self._settings, self._settings.persistence.postgres
        if postgres is None:
            return []
        operator: list[pulumi.Resource] = []
        if settings.operators.install:
            operator = CloudNativePg(
                "cloudnative-pg",
                manifest=self._release.operator_manifest,
                image=reference(settings.images.cloudnative_pg),
                placement=self._placement,
                is_protected=settings.protection.is_enabled,
                opts=self._after(),
            ).resources
        return PostgresCluster(
            "database",
            settings=postgres,
            image=reference(settings.images.postgresql),
            pooler_image=reference(settings.images.pgbouncer),
            storage_class=settings.cluster.storage_class,
            placement=self._placement,
            is_protected=settings.protection.is_enabled,
            opts=self._after(*ground, *operator),
        ).resources

    def zone_watcher(self, database: list[pulumi.Resource]) -> None:
        """Declare what gives up the primary of a dark zone, if it is ours."""
        postgres = self._settings.persistence.postgres
        if postgres is None or not postgres.zone_watcher.is_enabled:
            return
        ZoneWatcher(
            names.ZONE_WATCHER,
            settings=postgres.zone_watcher,
            image=self.own_images["zone_watcher"],
            placement=self._placement,
            opts=self._after(*database),
        )

    def schema(self, stores: Stores, database: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Declare the schema job: no server starts before it has succeeded."""
        image = reference(self._settings.images.temporal_admin_tools)
        return [
            SchemaJob(
                "schema", stores=stores, image=image, placement=self._placement, opts=self._after(*database)
            ).job
        ]

    def servers(self, stores: Stores, schema: list[pulumi.Resource]) -> list[pulumi.Resource]:
        """Declare the four Temporal services and their configuration."""
        temporal = self._settings.temporal
        config = ServerConfig(
            "server-config",
            static=render_temporal_config(stores, temporal.history_shards),
            dynamic=render_dynamic_config(worker_load(self._settings), temporal.dynamic_config),
            history_shards=temporal.history_shards,
            placement=self._placement,
            opts=self._after(*schema),
        )
        found: list[pulumi.Resource] = []
        for spec in SERVICES:
            service = TemporalService(
                spec,
                settings=getattr(temporal, spec.name),
                image=reference(self._settings.images.temporal_server),
                stores=stores,
                static_config=config.static_text,
                placement=self._placement,
                opts=self._after(*schema, *config.resources),
            )
            found += service.resources
        return found

    def balancer(self, servers: list[pulumi.Resource]) -> LoadBalancer:
        """Declare what clients connect to."""
        settings = self._settings
        frontends = names.host(
            names.server("frontend"), settings.cluster.namespace, settings.cluster.dns_domain
        )
        return LoadBalancer(
            "load-balancer",
            settings=settings.load_balancer,
            image=reference(settings.images.haproxy),
            config=render_haproxy(frontends, settings.temporal.frontend.replicas),
            placement=self._placement,
            opts=self._after(*servers),
        )

    def tenants(self, balancer: LoadBalancer) -> list[pulumi.Resource]:
        """Declare the tenants' namespaces and search attributes in Temporal."""
        return TenantReconcileJob(
            "tenants",
            tenants=self._settings.tenants_file(self._build_id or "").to_json(),
            image=self.worker_image,
            worker_environment=self._worker_environment(),
            placement=self._placement,
            opts=self._after(*balancer.resources),
        ).resources

    def worker_files(
        self, ground: list[pulumi.Resource], payload_keys: pulumi.Output[str] | None
    ) -> list[pulumi.Resource]:
        """Declare what workers mount besides the tenants, as far as it comes from the stack."""
        if payload_keys is None and not self._mounts.inventory:
            return []
        return WorkerFiles(
            "worker-files",
            payload_keys=payload_keys,
            inventory=self._mounts.inventory,
            placement=self._placement,
            opts=self._after(*ground),
        ).resources

    def worker_pools(self, needed: list[pulumi.Resource]) -> None:
        """Declare the shared pool, and one for each tenant with workers of its own."""
        for pool in pools_of(self._settings):
            WorkerPool(
                pool,
                image=self.worker_image,
                build_id=self._build_id,
                worker_environment=self._worker_environment(),
                files=self._mounts,
                placement=self._placement,
                opts=self._after(*needed),
            )

    def codec_address(self, ground: list[pulumi.Resource]) -> CodecAddress | None:
        """Declare where payloads are decrypted for people, if anything is encrypted."""
        if not (self._settings.is_encrypted and self._settings.codec_server.is_enabled):
            return None
        return CodecAddress("codec-address", placement=self._placement, opts=self._after(*ground))

    def codec_endpoint(self, address: CodecAddress | None) -> OutputValue | None:
        """Return where people's browsers reach the codec server."""
        return self._settings.codec_server.endpoint or address.url if address else None

    def ui(self, balancer: LoadBalancer, codec: CodecAddress | None) -> TemporalUi:
        """Declare the web interface."""
        settings = self._settings
        host = names.host(names.ADDRESS_SERVICE, settings.cluster.namespace, settings.cluster.dns_domain)
        config = pulumi.Output.from_input(self.codec_endpoint(codec)).apply(
            lambda endpoint: render_ui_config(
                f"{host}:{BALANCER_PORT}", settings.temporal.shared_namespace, endpoint
            )
        )
        return TemporalUi(
            "ui",
            settings=settings.ui,
            image=reference(settings.images.temporal_ui),
            config=config,
            placement=self._placement,
            opts=self._after(*balancer.resources),
        )

    def codec_server(self, files: list[pulumi.Resource], ui: TemporalUi) -> None:
        """Declare what decrypts payloads for people."""
        settings = self._settings
        CodecServer(
            "codec-server",
            settings=settings.codec_server,
            image=self.worker_image,
            files=self._mounts,
            origins=[ui.url, *settings.codec_server.origins],
            placement=self._placement,
            opts=self._after(*files),
        )

    def _worker_environment(self) -> WorkerEnvironment:
        settings = self._settings
        direct = names.host(names.DIRECT_SERVICE, settings.cluster.namespace, settings.cluster.dns_domain)
        return WorkerEnvironment(
            temporal_address=f"{direct}:{BALANCER_PORT}",
            temporal_namespace=settings.temporal.shared_namespace,
            routers_url=settings.workers.routers_url,
            graceful_shutdown_seconds=settings.workers.graceful_shutdown_seconds,
        )
