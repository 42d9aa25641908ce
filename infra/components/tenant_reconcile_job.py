"""The tenants file, and the Job that brings Temporal in line with it."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.components.worker_pool import TENANTS_FOLDER, USER_ID, WorkerEnvironment
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
from infra.rendering.text import checksum
from infra.settings.temporal import Resources

_RESOURCES = Resources(cpu_request="20m", memory_request="96Mi", memory_limit="256Mi")
_MOUNTS = (
    Mount("tenants", TENANTS_FOLDER, config_map=names.TENANTS),
    Mount("tmp", "/tmp"),  # noqa: S108  # inside a container, whose root is read-only
)


class TenantReconcileJob(pulumi.ComponentResource):
    """Namespaces, retention and search attributes of every tenant. Running it again changes nothing."""

    resources: list[pulumi.Resource]
    """What the workers have to wait for."""

    def __init__(
        self,
        name: str,
        *,
        tenants: str,
        image: str,
        worker_environment: WorkerEnvironment,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the file and the Job.

        Args:
            name: Logical name.
            tenants: Text of the tenants file.
            image: Reference of the worker's image.
            worker_environment: How to reach Temporal.
            placement: Where it runs.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:TenantReconcileJob", name, None, opts)
        file = core.ConfigMap(
            names.TENANTS,
            metadata=ObjectMetaArgs(
                name=names.TENANTS, namespace=placement.namespace, labels=labels(names.TENANTS)
            ),
            data={names.TENANTS_KEY: tenants},
            opts=pulumi.ResourceOptions(parent=self),
        )
        # A Job cannot be changed, and must run again when the tenants or its code do: both are its name.
        job_name = f"{names.TENANTS}-{checksum(tenants, image)}"
        job = Job(
            names.TENANTS,
            metadata=ObjectMetaArgs(
                name=job_name, namespace=placement.namespace, labels=labels(names.TENANTS)
            ),
            spec=JobSpecArgs(
                backoff_limit=8,
                template=core.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels(names.TENANTS)),
                    spec=core.PodSpecArgs(
                        **placement.pod_fields(USER_ID),
                        restart_policy="OnFailure",
                        containers=[_container(image, worker_environment)],
                        volumes=[volume(mount) for mount in _MOUNTS],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[file], custom_timeouts=pulumi.CustomTimeouts(create="15m")
            ),
        )
        self.resources = [file, job]
        self.register_outputs({"name": job_name})


def _container(image: str, worker_environment: WorkerEnvironment) -> core.ContainerArgs:
    return core.ContainerArgs(
        name="reconcile",
        image=image,
        image_pull_policy=PULL_POLICY,
        command=["python3", "-m", "worker.tenants", "apply"],
        env=environment(worker_environment.variables()),
        resources=resource_requirements(_RESOURCES),
        security_context=restricted(),
        volume_mounts=[volume_mount(mount) for mount in _MOUNTS],
    )
