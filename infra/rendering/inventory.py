"""The file in which the workers find routers that are no simulation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from infra.settings.workers import Router


def render_inventory(routers: Sequence[Router]) -> str:
    """Render the inventory, routers by name; without routers it is empty text, for there is no file then.

    Compact, because thousands of routers must fit into one ConfigMap.
    """
    if not routers:
        return ""
    records = [
        router.model_dump(exclude_defaults=True) for router in sorted(routers, key=lambda one: one.name)
    ]
    return json.dumps({"routers": records}, separators=(",", ":")) + "\n"
