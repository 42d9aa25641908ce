"""What goes into and comes out of the steps of a deployment: the activities."""

from __future__ import annotations

from dataclasses import dataclass

from worker.models.deployment import CheckSpec


@dataclass(frozen=True)
class RouterRef:
    """Which router a step is about, and whose and what it has to be."""

    tenant: str
    name: str
    platform: str


@dataclass(frozen=True)
class PrecheckInput:
    """Input of `precheck`."""

    router: RouterRef
    expected_revision: str = ""
    """Empty: any."""
    checks: tuple[CheckSpec, ...] = ()


@dataclass(frozen=True)
class PrecheckResult:
    """Output of `precheck`."""

    revision: str


@dataclass(frozen=True)
class BackupInput:
    """Input of `backup`."""

    router: RouterRef


@dataclass(frozen=True)
class Backup:
    """Output of `backup`: what a roll-back returns to."""

    revision: str
    """Revision at which `lines` ran; a change is applied to this revision or not at all."""
    lines: tuple[str, ...]


@dataclass(frozen=True)
class RenderInput:
    """Input of `render`."""

    router: RouterRef
    template: str
    variables: dict[str, str]


@dataclass(frozen=True)
class Rendered:
    """Output of `render`: the desired configuration."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class DiffInput:
    """Input of `diff`."""

    router: RouterRef
    running: tuple[str, ...]
    desired: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """Output of `diff`: what to tell the router; empty when it already runs what is desired."""

    commands: tuple[str, ...]


@dataclass(frozen=True)
class ApplyInput:
    """Input of `apply`."""

    router: RouterRef
    idempotency_key: str
    """Workflow id, run id and step: the same however often the activity is tried, by whichever worker."""
    expected_revision: str
    lines: tuple[str, ...]
    confirm_seconds: float


@dataclass(frozen=True)
class ApplyResult:
    """Output of `apply`."""

    revision: str


@dataclass(frozen=True)
class VerifyInput:
    """Input of `verify`."""

    router: RouterRef
    expected_revision: str
    lines: tuple[str, ...]
    checks: tuple[CheckSpec, ...] = ()


@dataclass(frozen=True)
class VerifyResult:
    """Output of `verify`: names of the checks, all passed."""

    checks: tuple[str, ...]


@dataclass(frozen=True)
class ConfirmInput:
    """Input of `confirm`."""

    router: RouterRef
    idempotency_key: str
    change_key: str
    """Idempotency key of the change to keep."""
    revision: str = ""
    """Revision at which the change left the router."""


@dataclass(frozen=True)
class ConfirmResult:
    """Output of `confirm`."""

    revision: str


@dataclass(frozen=True)
class RollBackInput:
    """Input of `roll_back`."""

    router: RouterRef
    idempotency_key: str
    change_key: str
    """Idempotency key of the change to undo. If it never arrived, it is barred from arriving later."""
    lines: tuple[str, ...]
    """The backup."""
    revision: str = ""
    """Revision at which the change left the router; empty when the change was never reported."""


@dataclass(frozen=True)
class RollBackResult:
    """Output of `roll_back`."""

    revision: str
    is_restored: bool
    """False when the change had not reached the router, so that there was nothing to undo."""
