"""The server that decrypts payloads for the web interface and the `temporal` command line."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from infra import names
from infra.components.placement import Placement
from infra.components.probes import http_probes
from infra.components.worker_files import WorkerMounts
from infra.components.worker_pool import USER_ID
from infra.components.workload import Mount, Workload, deploy_workload
from infra.services import CODEC_PORT
from infra.settings.encryption import CodecServer as CodecSettings

_GRACE_SECONDS = 30
"""Longer than decrypting a page of history takes."""


class CodecServer(pulumi.ComponentResource):
    """Its pods. Where they are reached is `CodecAddress`."""

    def __init__(
        self,
        name: str,
        *,
        settings: CodecSettings,
        image: str,
        files: WorkerMounts,
        origins: Sequence[pulumi.Input[str]],
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them.

        Args:
            name: Logical name.
            settings: Replicas and resources.
            image: Reference of the worker's image.
            files: Where the keyring is.
            origins: Web interfaces whose pages may ask it.
            placement: Where its pods run.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:CodecServer", name, None, opts)
        workload = Workload(
            name=names.CODEC_SERVER,
            image=image,
            command=["python3", "-m", "worker.codec_server"],
            user_id=USER_ID,
            replicas=settings.replicas,
            resources=settings.resources,
            probes=http_probes(CODEC_PORT, live="/healthz", ready="/healthz"),
            ports={"http": CODEC_PORT},
            grace_seconds=_GRACE_SECONDS,
            mounts=[
                *files.keyring_mounts(),
                Mount("tmp", "/tmp"),  # noqa: S108  # inside a container, whose root is read-only
            ],
            variables={
                **files.keyring_variables(),
                "ROUTERFLEET_CODEC_ADDRESS": f"0.0.0.0:{CODEC_PORT}",
                "ROUTERFLEET_CODEC_ORIGINS": pulumi.Output.all(*origins).apply(",".join),
            },
        )
        deploy_workload(workload, placement, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"name": names.CODEC_SERVER, "replicas": settings.replicas})
