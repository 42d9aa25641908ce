"""What others need to manage the routers: an inventory file and a folder of credentials.

Both are formats of `worker`, which the lab does not import: `worker.routers.inventory` reads the inventory,
`worker.routers.credentials` the folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lab.cluster.process import write_whole
from lab.routers import files
from lab.routers.layout import PROVIDER, PROVIDER_PREFIXES, USER, Router
from lab.routers.state import State

CREDENTIALS = "lab"
"""Name of the credentials that open every router of the lab."""


def ensure_login(state: State) -> str:
    """Make the key that logs in, once; return its public half."""
    if not state.key.exists():
        files.make_key(state.key)
    return state.key.with_suffix(".pub").read_text()


def write(state: State, routers: Sequence[Router]) -> None:
    """Write inventory and credentials."""
    folder = state.credentials / CREDENTIALS
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(folder / "username", USER)
    write_whole(folder / "private_key", state.key.read_text())
    (folder / "private_key").chmod(0o600)
    records = [record(router, files.host_key(state.folder(router))) for router in routers]
    write_whole(state.inventory, json.dumps({"routers": records}, indent=1) + "\n")


def record(router: Router, host_key: str) -> dict[str, Any]:
    """Return a customer's router as the inventory has it.

    Its options carry, besides the host key, what a template for it needs to know: its own address, AS number
    and network, and its provider's.
    """
    return {
        "name": router.name,
        "tenant": router.tenant,
        "platform": "frr",
        "site": router.site,
        "host": router.address,
        "port": files.SSH_PORT,
        "credentials": CREDENTIALS,
        "options": {
            "host_key": host_key,
            "address": router.address,
            "asn": str(router.asn),
            "network": router.own_network,
            "network_address": router.own_address,
            "provider_address": PROVIDER.address,
            "provider_asn": str(PROVIDER.asn),
            "provider_prefixes": " ".join(PROVIDER_PREFIXES),
        },
    }
