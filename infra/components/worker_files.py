"""What processes of the worker's image find as files, besides the tenants: payload keys, inventory, logins."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import names
from infra.components.placement import Placement
from infra.components.workload import Mount
from infra.labels import labels
from infra.rendering.text import checksum

KEYS_FOLDER = "/etc/routerfleet-keys"
"""Where the keyring is mounted; a whole folder, so that a rotated keyring arrives without a restart."""
INVENTORY_FOLDER = "/etc/routerfleet-inventory"
"""Where the inventory is mounted."""
CREDENTIALS_FOLDER = "/etc/routerfleet-credentials"
"""Where logins are mounted, each in a folder of its name."""


@dataclass(frozen=True)
class WorkerMounts:
    """Mounts of these files, and the variables that say where they are."""

    keyring_secret: str | None = None
    """Name of the Secret with the keyring; none where payloads are not encrypted."""
    inventory: str = ""
    """Text of the inventory; empty where there is none."""

    @property
    def checksum(self) -> str | None:
        """Changes with what a process reads only once."""
        return checksum(self.inventory) if self.inventory else None

    def keyring_mounts(self) -> list[Mount]:
        """Return the mount of the keyring, if there is one."""
        return [Mount("keyring", KEYS_FOLDER, secret=self.keyring_secret)] if self.keyring_secret else []

    def keyring_variables(self) -> dict[str, str]:
        """Return where the keyring is: its path, never its content."""
        path = f"{KEYS_FOLDER}/{names.PAYLOAD_KEYS_KEY}"
        return {"ROUTERFLEET_KEYRING_FILE": path} if self.keyring_secret else {}

    def mounts(self, credentials: Mapping[str, str]) -> list[Mount]:
        """Return the mounts of a worker pool's pods.

        Args:
            credentials: Secret by the name that inventory records call it.
        """
        inventory = (
            [Mount("inventory", INVENTORY_FOLDER, config_map=names.INVENTORY)] if self.inventory else []
        )
        return [
            *self.keyring_mounts(),
            *inventory,
            *[
                Mount(f"login-{name}", f"{CREDENTIALS_FOLDER}/{name}", secret=secret)
                for name, secret in credentials.items()
            ],
        ]

    def variables(self, credentials: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of a worker pool's pods."""
        inventory = f"{INVENTORY_FOLDER}/{names.INVENTORY_KEY}"
        return {
            **self.keyring_variables(),
            **({"ROUTERFLEET_INVENTORY_FILE": inventory} if self.inventory else {}),
            **({"ROUTERFLEET_CREDENTIALS_FOLDER": CREDENTIALS_FOLDER} if credentials else {}),
        }


class WorkerFiles(pulumi.ComponentResource):
    """The Secret and the ConfigMap behind those of the files that come from the stack."""

    resources: list[pulumi.Resource]
    """What the pods have to wait for."""

    def __init__(
        self,
        name: str,
        *,
        payload_keys: pulumi.Output[str] | None,
        inventory: str,
        placement: Placement,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them.

        Args:
            name: Logical name.
            payload_keys: Text of the keyring, a secret of Pulumi's; none where another Secret holds it, or nobody.
            inventory: Text of the inventory; empty where there is none.
            placement: Their namespace.
            opts: Options of the component.
        """
        super().__init__("routerfleet:components:WorkerFiles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.resources = []
        if payload_keys is not None:
            # `data`, not `stringData`: the API server hands only that back, and the two would differ for ever.
            encoded = payload_keys.apply(lambda text: base64.b64encode(text.encode()).decode())
            metadata = ObjectMetaArgs(
                name=names.PAYLOAD_KEYS, namespace=placement.namespace, labels=labels(names.PAYLOAD_KEYS)
            )
            self.resources.append(
                core.Secret(
                    names.PAYLOAD_KEYS,
                    metadata=metadata,
                    type="Opaque",
                    data={names.PAYLOAD_KEYS_KEY: encoded},
                    opts=child,
                )
            )
        if inventory:
            metadata = ObjectMetaArgs(
                name=names.INVENTORY, namespace=placement.namespace, labels=labels(names.INVENTORY)
            )
            self.resources.append(
                core.ConfigMap(
                    names.INVENTORY, metadata=metadata, data={names.INVENTORY_KEY: inventory}, opts=child
                )
            )
        self.register_outputs({"count": len(self.resources)})
