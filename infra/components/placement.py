"""Where pods of the bundle run, and the part of their shape that is the same for Deployments and Jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from pulumi_kubernetes.core import v1 as core

from infra.labels import ZONE
from infra.settings import Settings
from infra.settings.cluster import Toleration

DNS_OPTIONS = {"ndots": "2", "timeout": "1", "attempts": "5"}
"""How pods look up names (resolv.conf(5)). A DNS server in a dark zone stays behind the cluster's DNS address for 40 s
and more, and every other question goes to it: asked again after 1 s instead of 5, and full names, which are all that
this bundle uses, are not tried with each suffix first."""


class PodFields(TypedDict):
    """Fields of a pod that are the same everywhere."""

    affinity: core.AffinityArgs
    automount_service_account_token: bool
    dns_config: core.PodDNSConfigArgs
    enable_service_links: bool
    image_pull_secrets: list[core.LocalObjectReferenceArgs]
    security_context: core.PodSecurityContextArgs
    tolerations: list[core.TolerationArgs]


@dataclass(frozen=True)
class Placement:
    """Where pods go."""

    namespace: str
    """Kubernetes namespace."""
    zones: tuple[str, ...]
    """Zones that pods may use; others are closed to them."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that pods accept."""
    pull_secrets: tuple[str, ...] = ()
    """Names of image pull secrets."""

    @classmethod
    def of(cls, settings: Settings) -> Placement:
        """Return the placement of a stack."""
        return cls(
            namespace=settings.cluster.namespace,
            zones=settings.cluster.zones,
            tolerations=settings.cluster.tolerations,
            pull_secrets=settings.images.pull_secrets,
        )

    def pod_fields(self, user_id: int) -> PodFields:
        """Return what every pod has in common.

        Args:
            user_id: Numeric user and group that its processes run as.
        """
        return PodFields(
            affinity=self.affinity(),
            automount_service_account_token=False,
            dns_config=core.PodDNSConfigArgs(
                options=[
                    core.PodDNSConfigOptionArgs(name=name, value=value) for name, value in DNS_OPTIONS.items()
                ]
            ),
            # Service variables would clash with the programs' own, TEMPORAL_UI_PORT among them.
            enable_service_links=False,
            image_pull_secrets=[core.LocalObjectReferenceArgs(name=name) for name in self.pull_secrets],
            security_context=core.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=user_id,
                run_as_group=user_id,
                fs_group=user_id,
                seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            tolerations=self.toleration_args(),
        )

    def affinity(self) -> core.AffinityArgs:
        """Return the rule that keeps pods inside the stack's zones."""
        return core.AffinityArgs(
            node_affinity=core.NodeAffinityArgs(
                required_during_scheduling_ignored_during_execution=core.NodeSelectorArgs(
                    node_selector_terms=[
                        core.NodeSelectorTermArgs(
                            match_expressions=[
                                core.NodeSelectorRequirementArgs(
                                    key=ZONE, operator="In", values=list(self.zones)
                                )
                            ]
                        )
                    ]
                )
            )
        )

    def toleration_args(self) -> list[core.TolerationArgs]:
        """Return the accepted taints."""
        return [
            core.TolerationArgs(
                key=item.key,
                operator="Equal" if item.value is not None else "Exists",
                value=item.value,
                effect=item.effect,
            )
            for item in self.tolerations
        ]
