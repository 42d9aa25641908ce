"""The Job that brings both databases to the schema of the server's version, before any server starts."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.components.placement import Placement
from infra.components.workload import (
    Mount,
    environment,
    resource_requirements,
    restricted,
    volume,
    volume_mount,
)
from infra.images import PULL_POLICY
from infra.labels import labels
from infra.rendering.schema import STORES, schema_script, schema_variables
from infra.rendering.text import checksum
from infra.settings.temporal import Resources
from infra.stores import Stores

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
        script, variables = schema_script(), schema_variables(stores)
        # A Job cannot be changed, and must run again for another version or another database: both are its name.
        job_name = f"{_NAME}-{checksum(image, script, str(sorted(variables.items())))}"
        cas = [
            Mount(f"ca-{store.name}", store.ca_mount, secret=store.tls.ca_secret.name)
            for store in stores.both()
            if store.tls and store.tls.ca_secret
        ]
        container = core.ContainerArgs(
            name="schema",
            image=image,
            image_pull_policy=PULL_POLICY,
            command=["sh", "-euc", script],
            env=environment(
                variables, secrets={store.password_variable: store.password for store in stores.both()}
            ),
            resources=resource_requirements(_RESOURCES),
            security_context=restricted(),
            volume_mounts=[volume_mount(mount) for mount in cas],
        )
        self.job = Job(
            _NAME,
            metadata=ObjectMetaArgs(name=job_name, namespace=placement.namespace, labels=labels(_NAME)),
            spec=JobSpecArgs(
                # Databases that are still starting, or failing over, are tried again for about 20 minutes.
                backoff_limit=12,
                template=core.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels(_NAME)),
                    spec=core.PodSpecArgs(
                        **placement.pod_fields(_USER_ID),
                        restart_policy="OnFailure",
                        containers=[container],
                        volumes=[volume(mount) for mount in cas],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(create="20m", update="20m")
            ),
        )
        self.register_outputs({"name": job_name, "stores": list(STORES)})
