"""What crosses Temporal's boundaries: one dataclass in and one out per workflow, query and activity.

Fields are only ever added, with a default, so that a running deployment survives a new release of the
worker. A configuration is a tuple of lines; order is the router's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Where a deployment stands; also the search attribute `Phase`."""

    PRECHECK = "precheck"
    BACKUP = "backup"
    RENDER = "render"
    DIFF = "diff"
    APPLY = "apply"
    VERIFY = "verify"
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
    """Platform the router must be of. Default: the only driver there is so far."""
    attempts_max: int = 12
    """Attempts per step, at least 1. Default 12: with back-off to 10 s that bridges about a minute and a
    half without the router, or that many workers killed under the step."""
    rollback_attempts_max: int = 120
    """Attempts to undo, at least 1. Default 120, about 20 minutes: giving up leaves a router half done."""


@dataclass(frozen=True)
class DeploymentResult:
    """Output of `RouterDeployment` when it ends well."""

    tenant: str
    router: str
    change_id: str
    phase: Phase
    """`deployed` or `unchanged`."""
    revision: int
    """The router's configuration revision after the deployment."""
    commands: tuple[str, ...] = ()
    """What the router was told, in order; empty when unchanged."""
    checks: tuple[str, ...] = ()
    """Names of the checks that passed afterwards."""


@dataclass(frozen=True)
class Progress:
    """Answer of the query `progress`."""

    phase: Phase
    completed: tuple[Phase, ...] = ()
    """Phases gone through, in order."""
    failure: str = ""
    """Why it is rolling back or has ended badly, one line; empty while all is well."""


@dataclass(frozen=True)
class PrecheckInput:
    """Input of `precheck`."""

    tenant: str
    router: str
    platform: str


@dataclass(frozen=True)
class PrecheckResult:
    """Output of `precheck`."""

    revision: int


@dataclass(frozen=True)
class BackupInput:
    """Input of `backup`."""

    tenant: str
    router: str


@dataclass(frozen=True)
class Backup:
    """Output of `backup`: what a roll-back returns to."""

    revision: int
    """Revision at which `lines` ran; a change is applied to this revision or not at all."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class RenderInput:
    """Input of `render`."""

    router: str
    template: str
    variables: dict[str, str]


@dataclass(frozen=True)
class Rendered:
    """Output of `render`: the desired configuration."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class DiffInput:
    """Input of `diff`."""

    running: tuple[str, ...]
    desired: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """Output of `diff`: what to tell the router; empty when it already runs what is desired."""

    commands: tuple[str, ...]


@dataclass(frozen=True)
class ApplyInput:
    """Input of `apply`."""

    router: str
    idempotency_key: str
    """Workflow id, run id and step: the same however often the activity is tried, by whichever worker."""
    expected_revision: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ApplyResult:
    """Output of `apply`."""

    revision: int


@dataclass(frozen=True)
class VerifyInput:
    """Input of `verify`."""

    router: str
    expected_revision: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class VerifyResult:
    """Output of `verify`: names of the checks, all passed."""

    checks: tuple[str, ...]


@dataclass(frozen=True)
class RollBackInput:
    """Input of `roll_back`."""

    router: str
    idempotency_key: str
    change_key: str
    """Idempotency key of the change to undo. If it never arrived, it is barred from arriving later."""
    lines: tuple[str, ...]
    """The backup."""


@dataclass(frozen=True)
class RollBackResult:
    """Output of `roll_back`."""

    revision: int
    is_restored: bool
    """False when the change had not reached the router, so that there was nothing to undo."""
