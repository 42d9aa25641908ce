"""The Job that brings both databases to the schema of the server's version, before any server starts."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.components.placement import Placement
from infra.components.workload import (
    authority_mounts,
    environment,
    resource_requirements,
    restricted,
    volume,
    volume_mount,
)
from infra.images import PULL_POLICY
from infra.labels import labels
from infra.rendering.schema import PASSWORD_VARIABLE, schema_script, schema_variables
from infra.rendering.text import checksum
from infra.settings.temporal import Resources
from infra.stores import SqlStore, Stores

_USER_ID = 1000
_NAME = "temporal-schema"
_RESOURCES = Resources(cpu_request="20m", memory_request="32Mi", memory_limit="256Mi")


class SchemaJob(pulumi.ComponentResource):
    """Sets up and updates the schema. Running it again changes nothing."""

    job: Job
    """The Job; it has completed when what depends on it starts."""

    def __init__(
        self,
        name: str,
        *,
        stores: Stores,
        image: str,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the Job.

        Args:
            name: Logical name.
            stores: Databases to bring up to date; they exist.
            image: Reference of the admin tools, whose version decides the schema's.
            placement: Where it runs.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:SchemaJob", name, None, opts)
        containers = [_container(store, image) for store in stores.both()]
        # A Job cannot be changed, and must run again for another version or another database: both are its name.
        plan = [
            f"{schema_script(store.name)}{sorted(schema_variables(store).items())}" for store in stores.both()
        ]
        job_name = f"{_NAME}-{checksum(image, *plan)}"
        self.job = Job(
            _NAME,
            metadata=ObjectMetaArgs(name=job_name, namespace=placement.namespace, labels=labels(_NAME)),
            spec=JobSpecArgs(
                # Databases that are still starting, or failing over, are tried again; then the job says so.
                backoff_limit=12,
                active_deadline_seconds=1200,
                template=core.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels(_NAME)),
                    spec=core.PodSpecArgs(
                        **placement.pod_fields(_USER_ID),
                        restart_policy="OnFailure",
                        containers=containers,
                        volumes=[volume(mount) for mount in authority_mounts(stores.both())],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(create="20m", update="20m")
            ),
        )
        self.register_outputs({"name": job_name})


def _container(store: SqlStore, image: str) -> core.ContainerArgs:
    """Return the container that looks after one store; the two run side by side."""
    return core.ContainerArgs(
        name=store.name,
        image=image,
        image_pull_policy=PULL_POLICY,
        command=["sh", "-euc", schema_script(store.name)],
        env=environment(schema_variables(store), secrets={PASSWORD_VARIABLE: store.password}),
        resources=resource_requirements(_RESOURCES),
        security_context=restricted(),
        volume_mounts=[volume_mount(mount) for mount in authority_mounts([store])],
    )
