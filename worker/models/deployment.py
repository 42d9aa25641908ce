"""What goes into and comes out of one router's deployment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

REQUEST_VERSION = 1
"""The newest `DeploymentRequest.version` that this release understands."""


class Phase(StrEnum):
    """Where a deployment stands; also the search attribute `Phase`."""

    PRECHECK = "precheck"
    BACKUP = "backup"
    RENDER = "render"
    DIFF = "diff"
    AWAITING_APPROVAL = "awaiting-approval"
    APPLY = "apply"
    VERIFY = "verify"
    CONFIRM = "confirm"
    ROLLING_BACK = "rolling-back"
    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    """The router already ran the desired configuration; nothing was applied."""
    REFUSED = "refused"
    """Ended before anything was applied."""
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"

    @property
    def is_final(self) -> bool:
        """Whether the deployment has come to its end."""
        return self in _FINAL


_FINAL = frozenset({Phase.DEPLOYED, Phase.UNCHANGED, Phase.REFUSED, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED})


@dataclass(frozen=True)
class CheckSpec:
    """Something that must hold on the router after the change."""

    kind: str
    """One of the kinds in `worker.routers.driver`; the precheck refuses one that the driver does not know."""
    target: str = ""
    """What it is about: the address of a BGP neighbour, a route's prefix, an interface's name."""

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".rstrip()


class OnTimeout(StrEnum):
    """What becomes of a change that nobody has decided on in time."""

    REFUSE = "refuse"
    APPROVE = "approve"


@dataclass(frozen=True)
class ApprovalPolicy:
    """A change waits for a person between diff and apply."""

    timeout_seconds: float = 86_400
    """How long it waits, above 0. Default a day: people work in shifts."""
    on_timeout: OnTimeout = OnTimeout.REFUSE
    """Default `refuse`: silence is no consent."""


@dataclass(frozen=True)
class Decision:
    """Input of the update `decide`."""

    by: str
    """Who decides; not who asked for the change."""
    is_approved: bool
    comment: str = ""


@dataclass(frozen=True)
class DeploymentRequest:
    """Input of `RouterDeployment`: what to put on which router."""

    tenant: str
    """Name of the tenant that owns the router."""
    router: str
    """Name of the router, unique within the fleet."""
    site: str
    """Where the router stands; for search only."""
    change_id: str
    """The caller's name for this change, for example a ticket; for search only."""
    template: str
    """The desired configuration, one statement per line, with `$name` where a variable goes."""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """Value of each variable of the template."""
    platform: str = "simulated"
    """Platform the router must be of: `simulated`, `frr`, or one of NAPALM's (`worker.routers`)."""
    attempts_max: int = 12
    """Attempts per step, at least 1. Default 12: with back-off to 10 s that bridges about a minute and a
    half without the router, or that many workers killed under the step."""
    rollback_attempts_max: int = 120
    """Attempts to undo, at least 1. Default 120, about 20 minutes: giving up leaves a router half done."""
    checks: tuple[CheckSpec, ...] = ()
    """What must hold afterwards, besides that the router runs the desired configuration."""
    approval: ApprovalPolicy | None = None
    """Default none: the change is applied without asking."""
    requested_by: str = ""
    """Who asked; may not approve it. Empty: not said."""
    expected_revision: str = ""
    """Revision the router must run now, from the result of its last deployment; a router that has drifted
    from it is refused. Empty: whatever it runs is fine."""
    confirm_seconds: float = 600
    """The router undoes the change by itself unless it is confirmed within this time; 1 to 3600. Default
    600: longer than the longest outage that the cluster is built to survive, so that a lost zone costs a
    deployment time and not its success."""
    heartbeat_seconds: float = 10
    """How long a killed worker goes unnoticed under a step, 1 to 60. Default 10: shorter could take a busy
    worker for a dead one."""
    version: int = 1
    """Schema of this request; a worker that does not know it yet refuses."""

    def problem(self) -> str | None:
        """Return in one line what cannot be used, or None when all can."""
        rules = (
            ("attempts_max", self.attempts_max >= 1, "at least 1"),
            ("rollback_attempts_max", self.rollback_attempts_max >= 1, "at least 1"),
            ("confirm_seconds", 1 <= self.confirm_seconds <= 3600, "from 1 to 3600"),
            ("heartbeat_seconds", 1 <= self.heartbeat_seconds <= 60, "from 1 to 60"),
        )
        for key, is_good, rule in rules:
            if not is_good:
                return f"{key}: {getattr(self, key):g} must be {rule}"
        if self.approval is not None and not self.approval.timeout_seconds > 0:
            return f"approval.timeout_seconds: {self.approval.timeout_seconds:g} must be above 0"
        return None


@dataclass(frozen=True)
class DeploymentResult:
    """Output of `RouterDeployment` when it ends well."""

    tenant: str
    router: str
    change_id: str
    phase: Phase
    """`deployed` or `unchanged`."""
    revision: str
    """The router's configuration revision after the deployment."""
    commands: tuple[str, ...] = ()
    """What the router was told, in order; empty when unchanged."""
    checks: tuple[str, ...] = ()
    """Names of the checks that passed afterwards."""


@dataclass(frozen=True)
class Progress:
    """Answer of the query `progress`; also the details of a failure."""

    phase: Phase
    completed: tuple[Phase, ...] = ()
    """Phases gone through, in order."""
    failure: str = ""
    """Why it is rolling back or has ended badly, one line; empty while all is well."""
    commands: tuple[str, ...] = ()
    """What the router will be told or was; empty before the diff. This is what an approver reads."""
    decision: Decision | None = None
    """The approval or refusal, once there is one."""
