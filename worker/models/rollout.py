"""What goes into and comes out of the rollout of one change over many routers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from worker.models.deployment import ApprovalPolicy, CheckSpec, DeploymentRequest
from worker.tenancy import TenancyError, Urgency, deployment_workflow_id, rollout_workflow_id

ROLLOUT_REQUEST_VERSION = 1
"""The newest `RolloutRequest.version` that this release understands."""

TARGETS_MAX = 5000
"""Routers of one rollout. Endings are carried from run to run at no more than 120 bytes each, 0.6 MB."""
REQUEST_BYTES_MAX = 1_000_000
"""Temporal refuses a payload above 2 MiB (dynamic configuration `limit.blobSize.error`); with the endings
and the failures (below 0.3 MB) carried beside it, a request of this size stays under that."""
PARALLELISM_MAX = 500
"""Temporal refuses above 2000 open children (`limit.numPendingChildExecutions.error`), and each costs
the rollout's worker memory."""
BATCH_MAX = 1000
"""A batch is one stretch of history, about ten events per router; the server ends a workflow at 51,200."""
FAILURES_MAX = 200
"""Failures told with their reason; further ones are only counted and named among the endings."""
REASON_CHARACTERS_MAX = 200


class RolloutPhase(StrEnum):
    """Where a rollout stands; also its search attribute `Phase`."""

    CANARY = "canary"
    DEPLOYING = "deploying"
    SOAKING = "soaking"
    """Waiting between batches, so that harm can show."""
    PAUSED = "paused"
    STOPPING = "stopping"
    """No more deployments are started; those that run come to their end."""
    CANCELLING = "cancelling"
    """Running deployments are being undone."""
    COMPLETED = "completed"
    """Every router was reached, failures within the budget."""
    ABORTED = "aborted"
    BUDGET_SPENT = "budget-spent"
    WINDOW_CLOSED = "window-closed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the rollout has come to its end."""
        return self in _FINAL


_FINAL = frozenset(
    {
        RolloutPhase.COMPLETED,
        RolloutPhase.ABORTED,
        RolloutPhase.BUDGET_SPENT,
        RolloutPhase.WINDOW_CLOSED,
        RolloutPhase.CANCELLED,
    }
)


class Ending(StrEnum):
    """What became of one router; the first five are the deployment's own final phases."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    CANCELLED = "cancelled"
    """Its deployment was cancelled; the router is as it was."""
    BUSY = "busy"
    """Another deployment had the router all the time; nothing was done."""
    LOST = "lost"
    """Its deployment was terminated or ended in a way it should not: a person must look."""
    NOT_REACHED = "not-reached"
    """The rollout ended before the router's turn."""

    @property
    def is_failure(self) -> bool:
        """Whether it counts against the error budget."""
        return self not in {Ending.DEPLOYED, Ending.UNCHANGED, Ending.NOT_REACHED}


@dataclass(frozen=True)
class RolloutTarget:
    """One router of a rollout."""

    router: str
    site: str = ""
    """Where the router stands; for search only."""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """Value of each variable of the template, for this router."""


@dataclass(frozen=True)
class RouterFailure:
    """Why one router failed."""

    router: str
    ending: Ending
    reason: str
    """One line, cut at `REASON_CHARACTERS_MAX`."""


@dataclass(frozen=True)
class Carried:
    """What a rollout takes along when it continues as a new run; never set by a caller."""

    started_unix_seconds: float
    """When the first run started."""
    not_after_unix_seconds: float | None
    """The deadline, as the first run found it."""
    parallelism: int
    is_paused: bool
    batch: int
    note: str
    endings: dict[str, Ending] = field(default_factory=dict[str, Ending])
    failures: tuple[RouterFailure, ...] = ()


@dataclass(frozen=True)
class RolloutRequest:
    """Input of `FleetRollout`: what to put on which routers, and how carefully."""

    tenant: str
    """Name of the tenant that owns the routers."""
    change_id: str
    """The caller's name for this change, for example a ticket; letters, digits, inner hyphens or dots."""
    template: str
    """As `DeploymentRequest.template`."""
    targets: tuple[RolloutTarget, ...]
    """1 to 5000 routers, in the order in which they are reached; the first ones are the canaries."""
    platform: str = DeploymentRequest.platform
    """Platform that every router must be of."""
    checks: tuple[CheckSpec, ...] = ()
    """What must hold on every router afterwards."""
    approval: ApprovalPolicy | None = None
    """Default none; else every single deployment waits for a person."""
    canaries: int = 1
    """Routers deployed first and alone, 0 or more. One that fails ends the rollout, whatever the budget.
    Default 1."""
    batch_size: int = 50
    """Routers between two soaks, 1 to 1000. Default 50."""
    parallelism: int = 10
    """Deployments at a time, 1 to 500; can be changed while running. Default 10, half of what one worker
    process gives to a tenant (`Tenant.concurrency`)."""
    error_budget: int = 0
    """Deployments that may fail without ending the rollout; after one more none is started. Default 0."""
    soak_seconds: float = 0
    """Wait after the canaries and after each batch but the last. Default 0."""
    is_paused_after_canaries: bool = False
    """Whether somebody has to `resume` it once the canaries have ended well. Default no."""
    not_after_unix_seconds: float | None = None
    """After this moment no deployment is started; running ones end by themselves. Default none."""
    window_seconds: float | None = None
    """The same, counted from the moment at which a schedule meant it to start (`worker.starting.windows`), above 0.
    Default none."""
    busy_seconds: float = 300
    """How long it waits for a router that another deployment has, 0 or more. Default 300."""
    requested_by: str = ""
    """Who asked; may not approve. Empty: not said."""
    urgency: Urgency = Urgency.BULK
    """How soon its steps are handed out within the tenant's queue. Default `bulk`: after everything else."""
    attempts_max: int = DeploymentRequest.attempts_max
    rollback_attempts_max: int = DeploymentRequest.rollback_attempts_max
    confirm_seconds: float = DeploymentRequest.confirm_seconds
    heartbeat_seconds: float = DeploymentRequest.heartbeat_seconds
    """These four as in `DeploymentRequest`."""
    routers_per_run: int = 250
    """After so many routers, at the end of a batch, the workflow continues as a new run, at least 1. Default
    250: some 2500 events, of which a worker that takes over replays every one."""
    carried: Carried | None = None
    """The rollout's own; a caller leaves it alone."""
    version: int = 1
    """Schema of this request; a worker that does not know it yet refuses."""

    def problem(self) -> str | None:
        """Return in one line what cannot be used, or None when all can."""
        return next(self._problems(), None)

    def deployment(self, target: RolloutTarget) -> DeploymentRequest:
        """Return what to ask of one router."""
        return DeploymentRequest(
            tenant=self.tenant,
            router=target.router,
            site=target.site,
            change_id=self.change_id,
            template=self.template,
            variables=target.variables,
            platform=self.platform,
            attempts_max=self.attempts_max,
            rollback_attempts_max=self.rollback_attempts_max,
            checks=self.checks,
            approval=self.approval,
            requested_by=self.requested_by,
            confirm_seconds=self.confirm_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
        )

    def _problems(self) -> Iterator[str]:
        rules = (
            ("canaries", self.canaries >= 0, "0 or more"),
            ("batch_size", 1 <= self.batch_size <= BATCH_MAX, f"from 1 to {BATCH_MAX}"),
            ("parallelism", 1 <= self.parallelism <= PARALLELISM_MAX, f"from 1 to {PARALLELISM_MAX}"),
            ("error_budget", self.error_budget >= 0, "0 or more"),
            ("soak_seconds", self.soak_seconds >= 0, "0 or more"),
            ("busy_seconds", self.busy_seconds >= 0, "0 or more"),
            ("window_seconds", self.window_seconds is None or self.window_seconds > 0, "above 0"),
            ("routers_per_run", self.routers_per_run >= 1, "at least 1"),
        )
        for key, is_good, rule in rules:
            if not is_good:
                yield f"{key}: {getattr(self, key)} must be {rule}"
        if self.window_seconds is not None and self.not_after_unix_seconds is not None:
            yield f"window_seconds: {self.window_seconds} cannot stand beside not_after_unix_seconds"
        yield from self._name_problems()
        problem = self.deployment(self.targets[0]).problem()
        if problem is not None:
            yield problem
        size = len(json.dumps(asdict(self)))
        if self.carried is None and size > REQUEST_BYTES_MAX:
            yield (
                f"targets: the request has {size} bytes, must have at most {REQUEST_BYTES_MAX},"
                " half of what Temporal takes; make it several rollouts"
            )

    def _name_problems(self) -> Iterator[str]:
        if not 1 <= len(self.targets) <= TARGETS_MAX:
            yield f"targets: {len(self.targets)} routers must be from 1 to {TARGETS_MAX}"
        seen: set[str] = set()
        try:
            rollout_workflow_id(self.tenant, self.change_id)
            for target in self.targets:
                deployment_workflow_id(self.tenant, target.router)
                if target.router in seen:
                    yield f"targets: router {target.router!r} is listed twice"
                seen.add(target.router)
        except TenancyError as error:
            yield str(error)


@dataclass(frozen=True)
class Order:
    """Input of the updates `pause` and `resume`."""

    by: str
    """Who wants it."""
    comment: str = ""


@dataclass(frozen=True)
class AbortOrder:
    """Input of the update `abort`."""

    by: str
    comment: str = ""
    is_cancelling: bool = False
    """Whether running deployments are undone. Default no: they come to their end."""


@dataclass(frozen=True)
class ParallelismOrder:
    """Input of the update `set_parallelism`."""

    by: str
    parallelism: int
    """1 to 500. Fewer than run already: no more are started until that many have ended."""
    comment: str = ""


@dataclass(frozen=True)
class RolloutProgress:
    """Answer of the query `progress` and of every update."""

    phase: RolloutPhase
    total: int
    """Routers in all."""
    batch: int
    """0 while the canaries run, then 1 and up."""
    parallelism: int
    error_budget: int
    counts: dict[str, int]
    """Routers by ending; those without one are running or have still to start."""
    running: tuple[str, ...] = ()
    """Routers whose deployments run now, or wait for a router that is busy."""
    failures: tuple[RouterFailure, ...] = ()
    """The first `FAILURES_MAX`."""
    note: str = ""
    """The last order: what, by whom, why."""


@dataclass(frozen=True)
class RolloutReport:
    """Output of `FleetRollout`."""

    tenant: str
    change_id: str
    outcome: RolloutPhase
    """`completed`, `aborted`, `budget-spent` or `window-closed`."""
    counts: dict[str, int]
    """Routers by ending."""
    endings: dict[str, Ending]
    """What became of every router."""
    failures: tuple[RouterFailure, ...]
    """The first `FAILURES_MAX`."""
    seconds: float
    """From the start of the first run to the end."""
    note: str = ""
    """The last order: what, by whom, why."""
