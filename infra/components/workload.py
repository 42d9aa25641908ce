"""The shape that every pod of the bundle has: restricted, spread over zones, drained before it ends.

Components describe a `Workload`; `deploy_workload` declares its Deployment and disruption budget. What differs
between workloads is data; what must never differ (security, spread, budget) is written once, here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from infra.components.placement import Placement
from infra.images import PULL_POLICY
from infra.labels import ZONE, labels, selector
from infra.settings.temporal import Resources
from infra.settings.workers import Guaranteed
from infra.stores import SecretRef, SqlStore

FIELD_POD_IP = "status.podIP"
"""Field reference that a variable takes the pod's address from."""


@dataclass(frozen=True)
class Mount:
    """A folder of the container, read-only unless it is scratch space."""

    name: str
    """Name of the volume."""
    path: str
    """Folder inside the container."""
    config_map: str | None = None
    """ConfigMap whose entries are the files."""
    secret: str | None = None
    """Secret whose entries are the files."""
    is_account: bool = False
    """Whether the files are the service account's `token` and the API server's `ca.crt`. None of the three: scratch
    space on the node's disk."""


@dataclass(frozen=True)
class Probes:
    """How Kubernetes knows that a container started, lives, and may be sent work."""

    startup: core.ProbeArgs
    liveness: core.ProbeArgs
    readiness: core.ProbeArgs


@dataclass(frozen=True)
class Workload:
    """A replicated, stateless workload of one container."""

    name: str
    """Name of the Deployment and everything beside it; also what its pods are selected by."""
    image: str
    command: Sequence[str]
    """Explicit always: images of several publishers must behave the same."""
    user_id: int
    """Numeric user of the image."""
    replicas: int
    resources: Resources | Guaranteed
    probes: Probes
    ports: Mapping[str, int]
    """Port by name."""
    grace_seconds: int
    """Seconds between being told to stop and being killed; longer than the workload's own drain."""
    mounts: Sequence[Mount] = ()
    variables: Mapping[str, pulumi.Input[str]] | None = None
    """Plain environment variables."""
    field_variables: Mapping[str, str] | None = None
    """Environment variables taken from a field of the pod."""
    secret_variables: Mapping[str, SecretRef] | None = None
    """Environment variables taken from a Secret."""
    pre_stop: Sequence[str] | None = None
    """Command that runs before the container is told to stop."""
    config_checksum: pulumi.Input[str] | None = None
    """Changes when configuration does that is only read at start, so that the pods roll."""
    service_account: str | None = None
    """Service account, for the few that talk to the API server; they mount its token with `Mount.is_account`."""


def deploy_workload(
    workload: Workload, placement: Placement, opts: pulumi.ResourceOptions
) -> tuple[Deployment, PodDisruptionBudget]:
    """Declare the Deployment and its disruption budget.

    Args:
        workload: What runs.
        placement: Where it may run.
        opts: Options of the children: parent and dependencies.
    """
    name = workload.name
    match = selector(name)
    metadata = ObjectMetaArgs(name=name, namespace=placement.namespace, labels=labels(name))
    deployment = Deployment(
        name,
        metadata=metadata,
        spec=DeploymentSpecArgs(
            replicas=workload.replicas,
            selector=LabelSelectorArgs(match_labels=match),
            # A rollout never takes capacity away before the new pod is ready.
            strategy=DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
            ),
            # Two histories are enough to go back to, and old ReplicaSets clutter what people read.
            revision_history_limit=2,
            progress_deadline_seconds=900,
            template=pod_template(workload, placement),
        ),
        opts=opts,
    )
    budget = PodDisruptionBudget(
        name,
        metadata=metadata,
        spec=PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=LabelSelectorArgs(match_labels=match),
            # A pod that is not ready anyway must not hold up the drain of its node.
            unhealthy_pod_eviction_policy="AlwaysAllow",
        ),
        opts=opts,
    )
    return deployment, budget


def pod_template(workload: Workload, placement: Placement) -> core.PodTemplateSpecArgs:
    """Return the pod of a replicated workload: the common pod, spread over zones."""
    checksum = workload.config_checksum
    template = {} if checksum is None else {"routerfleet/config-checksum": checksum}
    spread = core.TopologySpreadConstraintArgs(
        max_skew=1,
        min_domains=min(len(placement.zones), workload.replicas),
        topology_key=ZONE,
        when_unsatisfiable="DoNotSchedule",
        label_selector=LabelSelectorArgs(match_labels=selector(workload.name)),
        # Each rollout is spread by itself; the old pods, about to go, do not count.
        match_label_keys=["pod-template-hash"],
    )
    return core.PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(labels=labels(workload.name), annotations=template),
        spec=core.PodSpecArgs(
            **placement.pod_fields(workload.user_id),
            topology_spread_constraints=[spread],
            termination_grace_period_seconds=workload.grace_seconds,
            service_account_name=workload.service_account,
            containers=[_container(workload)],
            volumes=[volume(mount) for mount in workload.mounts],
        ),
    )


def _container(workload: Workload) -> core.ContainerArgs:
    lifecycle = None
    if workload.pre_stop:
        lifecycle = core.LifecycleArgs(
            pre_stop=core.LifecycleHandlerArgs(exec_=core.ExecActionArgs(command=list(workload.pre_stop)))
        )
    return core.ContainerArgs(
        name=workload.name,
        image=workload.image,
        image_pull_policy=PULL_POLICY,
        command=list(workload.command),
        env=environment(workload.variables, workload.field_variables, workload.secret_variables),
        ports=[
            core.ContainerPortArgs(name=name, container_port=port) for name, port in workload.ports.items()
        ],
        startup_probe=workload.probes.startup,
        liveness_probe=workload.probes.liveness,
        readiness_probe=workload.probes.readiness,
        lifecycle=lifecycle,
        resources=resource_requirements(workload.resources),
        security_context=restricted(),
        volume_mounts=[volume_mount(mount) for mount in workload.mounts],
    )


def restricted() -> core.SecurityContextArgs:
    """Return what a container may do: nothing but run."""
    return core.SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
    )


def resource_requirements(resources: Resources | Guaranteed) -> core.ResourceRequirementsArgs:
    """Return requests and limits: for memory only, but where resources are guaranteed.

    Requests that equal the limits put a pod into Kubernetes' class Guaranteed, the last to be evicted; the CPU
    limit that this takes is what the tenant has paid for.
    """
    if isinstance(resources, Guaranteed):
        same = {"cpu": resources.cpu, "memory": resources.memory}
        return core.ResourceRequirementsArgs(requests=same, limits=same)
    return core.ResourceRequirementsArgs(
        requests={"cpu": resources.cpu_request, "memory": resources.memory_request},
        limits={"memory": resources.memory_limit},
    )


def environment(
    variables: Mapping[str, pulumi.Input[str]] | None = None,
    fields: Mapping[str, str] | None = None,
    secrets: Mapping[str, SecretRef] | None = None,
) -> list[core.EnvVarArgs]:
    """Return the environment of a container: plain values, fields of the pod, entries of Secrets."""
    return [
        *[core.EnvVarArgs(name=name, value=value) for name, value in (variables or {}).items()],
        *[
            core.EnvVarArgs(
                name=name,
                value_from=core.EnvVarSourceArgs(field_ref=core.ObjectFieldSelectorArgs(field_path=path)),
            )
            for name, path in (fields or {}).items()
        ],
        *[
            core.EnvVarArgs(
                name=name,
                value_from=core.EnvVarSourceArgs(
                    secret_key_ref=core.SecretKeySelectorArgs(name=secret.name, key=secret.key)
                ),
            )
            for name, secret in (secrets or {}).items()
        ],
    ]


def authority_mounts(stores: Sequence[SqlStore]) -> list[Mount]:
    """Return the mounts of the certificate authorities that stores need."""
    return [
        Mount(f"ca-{store.name}", store.ca_mount, secret=store.tls.ca_secret.name)
        for store in stores
        if store.tls and store.tls.ca_secret
    ]


def volume(mount: Mount) -> core.VolumeArgs:
    """Return the volume behind a mount."""
    if mount.config_map:
        return core.VolumeArgs(
            name=mount.name, config_map=core.ConfigMapVolumeSourceArgs(name=mount.config_map)
        )
    if mount.secret:
        return core.VolumeArgs(name=mount.name, secret=core.SecretVolumeSourceArgs(secret_name=mount.secret))
    if mount.is_account:
        return core.VolumeArgs(name=mount.name, projected=_account())
    return core.VolumeArgs(name=mount.name, empty_dir=core.EmptyDirVolumeSourceArgs(size_limit="64Mi"))


def _account() -> core.ProjectedVolumeSourceArgs:
    """Return a token that kubelet renews well before it ends, and whom it may be shown to."""
    token = core.ServiceAccountTokenProjectionArgs(path="token", expiration_seconds=3600)
    authority = core.ConfigMapProjectionArgs(
        # Kubernetes puts it into every namespace.
        name="kube-root-ca.crt",
        items=[core.KeyToPathArgs(key="ca.crt", path="ca.crt")],
    )
    return core.ProjectedVolumeSourceArgs(
        sources=[
            core.VolumeProjectionArgs(service_account_token=token),
            core.VolumeProjectionArgs(config_map=authority),
        ]
    )


def volume_mount(mount: Mount) -> core.VolumeMountArgs:
    """Return the mount inside the container."""
    is_scratch = not (mount.config_map or mount.secret or mount.is_account)
    return core.VolumeMountArgs(name=mount.name, mount_path=mount.path, read_only=not is_scratch)


def headless_service(
    name: str,
    placement: Placement,
    pods: str,
    ports: Mapping[str, int],
    opts: pulumi.ResourceOptions,
    *,
    is_ready_only: bool = True,
) -> core.Service:
    """Declare a Service whose name resolves to the pods themselves.

    Args:
        name: Name of the Service.
        placement: Its namespace.
        pods: Name of the workload whose pods it resolves to.
        ports: Port by name.
        opts: Options of the child.
        is_ready_only: Whether pods that are not ready are left out.
    """
    return k8s.core.v1.Service(
        name,
        metadata=ObjectMetaArgs(
            name=name,
            namespace=placement.namespace,
            labels=labels(pods),
            # The pods' own readiness is awaited; waiting here as well only costs time.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=core.ServiceSpecArgs(
            cluster_ip="None",
            selector=selector(pods),
            publish_not_ready_addresses=not is_ready_only,
            ports=[
                core.ServicePortArgs(name=port, port=number, target_port=port, protocol="TCP")
                for port, number in ports.items()
            ],
        ),
        opts=opts,
    )
