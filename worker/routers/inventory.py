"""Which routers there are besides the simulated ones: name, owner, platform, address, credentials' name.

One JSON file (`ROUTERFLEET_INVENTORY_FILE`), an object with a list `routers`. It holds no secret:
`credentials` names a folder below `ROUTERFLEET_CREDENTIALS_FOLDER` (see `worker.routers.credentials`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from worker.errors import UsageError


@dataclass(frozen=True)
class RouterRecord:
    """One router, as the inventory has it."""

    name: str
    tenant: str
    platform: str
    site: str = ""
    host: str = ""
    """Name or address at which it is managed; empty for a simulated router."""
    port: int = 0
    """0: the platform's own default."""
    credentials: str = ""
    """Name of its credentials; empty: `default`."""
    options: dict[str, str] = field(default_factory=dict[str, str])
    """What only its driver understands."""


class Inventory:
    """Routers by name."""

    def __init__(self, records: Mapping[str, RouterRecord] | None = None) -> None:
        self._records = dict(records or {})

    def find(self, name: str) -> RouterRecord | None:
        """Return a router, or None when the inventory has none of that name."""
        return self._records.get(name)

    def all(self) -> tuple[RouterRecord, ...]:
        """Return every router, by name."""
        return tuple(self._records[name] for name in sorted(self._records))

    @classmethod
    def load(cls, path: Path) -> Inventory:
        """Read the file.

        Raises:
            UsageError: When it cannot be read or used; one line that names the path, the key and the value.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
        except ValueError as error:
            raise UsageError(f"{path}: inventory is not JSON: {error}") from error
        items = cast("dict[str, Any]", values).get("routers") if isinstance(values, dict) else None
        if not isinstance(items, list):
            raise UsageError(f"{path}: inventory must be one JSON object with a list `routers`")
        records: dict[str, RouterRecord] = {}
        for item in cast("list[object]", items):
            record = _record(path, item)
            if record.name in records:
                raise UsageError(f"{path}: routers: {record.name!r} is listed twice; names must be unique")
            records[record.name] = record
        return cls(records)


_TEXT = ("name", "tenant", "platform", "site", "host", "credentials")


def _record(path: Path, item: object) -> RouterRecord:
    if not isinstance(item, dict):
        raise UsageError(f"{path}: routers: {item!r} must be an object with name, tenant and platform")
    values = cast("dict[str, Any]", item)
    known = [key.name for key in fields(RouterRecord)]
    for key in values:
        if key not in known:
            raise UsageError(f"{path}: routers: unknown key {key!r}; known keys: {', '.join(known)}")
    for key in _TEXT:
        value = values.get(key, None if key in {"name", "tenant", "platform"} else "")
        if not isinstance(value, str):
            raise UsageError(f"{path}: routers.{values.get('name')}.{key}: {value!r} must be text")
    port = values.get("port", 0)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise UsageError(f"{path}: routers.{values['name']}.port: {port!r} must be from 0 to 65535")
    options = values.get("options", {})
    if not isinstance(options, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, object]", options).values()
    ):
        raise UsageError(f"{path}: routers.{values['name']}.options: {options!r} must be an object of texts")
    return RouterRecord(**values)
