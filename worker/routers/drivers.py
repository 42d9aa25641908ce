"""Finds the driver of a router: by the inventory, or by the platform that the request names."""

from __future__ import annotations

from collections.abc import Mapping

from worker.errors import PlatformMismatchError, PlatformUnknownError, RouterUnknownError
from worker.models.steps import RouterRef
from worker.routers.driver import Driver
from worker.routers.inventory import Inventory, RouterRecord

SIMULATED = "simulated"


class Drivers:
    """One driver per platform."""

    def __init__(self, drivers: Mapping[str, Driver], inventory: Inventory | None = None) -> None:
        self._drivers = dict(drivers)
        self._inventory = inventory or Inventory()

    def of(self, ref: RouterRef) -> tuple[Driver, RouterRecord]:
        """Return the driver and the record of a router.

        A simulated router needs no record: the simulator knows it.

        Raises:
            PlatformUnknownError: When there is no driver for the platform.
            PlatformMismatchError: When the inventory has the router under another platform.
            RouterUnknownError: When a router that needs a record has none.
        """
        driver = self._drivers.get(ref.platform)
        if driver is None:
            known = ", ".join(sorted(self._drivers))
            raise PlatformUnknownError(ref.name, f"platform {ref.platform!r} is none of {known}")
        record = self._inventory.find(ref.name)
        if record is None and ref.platform == SIMULATED:
            return driver, RouterRecord(ref.name, ref.tenant, SIMULATED)
        if record is None:
            raise RouterUnknownError(ref.name, "the inventory has no such router")
        if record.platform != ref.platform:
            raise PlatformMismatchError(ref.name, f"is of platform {record.platform}, not {ref.platform}")
        return driver, record
