"""Counts each tenant's running steps, so that one tenant's long ones cannot hold every slot of a process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from worker.errors import FailureType
from worker.tenancy import Tenant


class TenantSlots:
    """How many steps each tenant runs in this process, and how many it may.

    Where tenants have queues of their own the SDK's slots say the same already; in the shared queue nothing
    else does, because Temporal's fairness orders only who is next and not who holds what.
    """

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._most: dict[str, int] = {}

    def set_tenants(self, tenants: Iterable[Tenant]) -> None:
        """Replace who may run how much; what runs already goes on."""
        self._most = {tenant.name: tenant.concurrency for tenant in tenants}

    def running(self, tenant: str) -> int:
        """Return how many steps of the tenant are running."""
        return self._running[tenant]

    @contextmanager
    def hold(self, tenant: str) -> Iterator[None]:
        """Count a step of the tenant while the block runs.

        Raises:
            ApplicationError: Of type `TenantBusy`, when the tenant runs as many as it may; the workflow asks
                again later, and the slot is free for another tenant meanwhile.
        """
        # A tenant just taken out of the file may still have steps to end.
        most = self._most.get(tenant, Tenant.concurrency)
        if self._running[tenant] >= most:
            raise ApplicationError(
                f"tenant {tenant} runs {most} steps on this worker, as many as it may",
                type=FailureType.TENANT_BUSY.value,
                non_retryable=True,
                # Not an error to anybody: neither logged nor counted as one.
                category=ApplicationErrorCategory.BENIGN,
            )
        self._running[tenant] += 1
        try:
            yield
        finally:
            self._running[tenant] -= 1
            if not self._running[tenant]:
                del self._running[tenant]
