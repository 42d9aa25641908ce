"""Every way a deployment can go wrong, and whether trying again can help.

Drivers raise a `RouterError`; the activities turn it into Temporal's `ApplicationError` through
`to_application_error`, whose `type` is the value of `FailureType`. Nothing else in the package decides
what is retried. Bad input of a command is a `UsageError`: one line for people.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from temporalio.exceptions import ApplicationError


class UsageError(Exception):
    """A command was given something it cannot use; the message is one line for people."""


class FailureType(StrEnum):
    """The `type` of every `ApplicationError` this package raises, as the UI and clients see it."""

    ROUTER_UNREACHABLE = "RouterUnreachable"
    ROUTER_UNKNOWN = "RouterUnknown"
    ROUTER_NOT_OWNED = "RouterNotOwned"
    PLATFORM_MISMATCH = "PlatformMismatch"
    TEMPLATE_INVALID = "TemplateInvalid"
    ROUTER_DRIFTED = "RouterDrifted"
    CHANGE_HALF_APPLIED = "ChangeHalfApplied"
    CHANGE_REFUSED = "ChangeRefused"
    CHANGE_WITHDRAWN = "ChangeWithdrawn"
    CHECKS_FAILED = "ChecksFailed"
    CHANGE_REVERTED = "ChangeReverted"
    CREDENTIALS_MISSING = "CredentialsMissing"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    PLATFORM_UNKNOWN = "PlatformUnknown"
    CHECK_UNKNOWN = "CheckUnknown"
    DRIVER_MISUSED = "DriverMisused"
    TENANT_BUSY = "TenantBusy"
    """The tenant has all the slots it may have on this worker; the workflow asks again a little later."""
    TENANT_MOVING = "TenantMoving"
    """The tenant is between two namespaces, and the old one still has open deployments."""
    TENANT_UNKNOWN = "TenantUnknown"
    REQUEST_INVALID = "RequestInvalid"
    REQUEST_TOO_NEW = "RequestTooNew"
    """The request is of a newer release than this worker."""
    PAYLOAD_UNREADABLE = "PayloadUnreadable"
    """The payload is encrypted with a key that this worker does not have."""
    APPROVAL_DENIED = "ApprovalDenied"
    APPROVAL_TIMED_OUT = "ApprovalTimedOut"
    DEPLOYMENT_REFUSED = "DeploymentRefused"
    """The workflow ended before anything was applied; its cause says why."""
    DEPLOYMENT_ROLLED_BACK = "DeploymentRolledBack"
    """The workflow applied something, undid it, and the router runs its backup; its cause says why."""
    ROLLBACK_FAILED = "RollbackFailed"
    """The router's state is not known to be good: a person must look. The one failure that pages."""


class RouterError(Exception):
    """Something went wrong with one router; subclasses say what and whether a retry can help."""

    failure_type: ClassVar[FailureType]
    is_retryable: ClassVar[bool] = False

    def __init__(self, router: str, reason: str) -> None:
        super().__init__(f"{router}: {reason}")
        self.router = router
        self.reason = reason


class RouterUnreachableError(RouterError):
    """The router did not answer, or answered that it cannot serve now. A later attempt may succeed."""

    failure_type = FailureType.ROUTER_UNREACHABLE
    is_retryable = True


class RouterUnknownError(RouterError):
    """No router of that name exists."""

    failure_type = FailureType.ROUTER_UNKNOWN


class RouterNotOwnedError(RouterError):
    """The router belongs to another tenant."""

    failure_type = FailureType.ROUTER_NOT_OWNED


class PlatformMismatchError(RouterError):
    """The router is of another platform than the request says."""

    failure_type = FailureType.PLATFORM_MISMATCH


class TemplateInvalidError(RouterError):
    """The template does not render with the variables given."""

    failure_type = FailureType.TEMPLATE_INVALID


class RouterDriftedError(RouterError):
    """The running configuration is not the one the change was planned against."""

    failure_type = FailureType.ROUTER_DRIFTED


class ChangeHalfAppliedError(RouterError):
    """The router took part of the change and refused the rest. Trying again would not mend it."""

    failure_type = FailureType.CHANGE_HALF_APPLIED


class ChangeRefusedError(RouterError):
    """The router does not take the change, and nothing was changed."""

    failure_type = FailureType.CHANGE_REFUSED


class ChangeWithdrawnError(RouterError):
    """The change was rolled back before it arrived, so it must not be applied any more."""

    failure_type = FailureType.CHANGE_WITHDRAWN


class ChangeRevertedError(RouterError):
    """The router has undone the change by itself, because nobody confirmed it in time."""

    failure_type = FailureType.CHANGE_REVERTED


class CredentialsMissingError(RouterError):
    """There is no login for the router."""

    failure_type = FailureType.CREDENTIALS_MISSING


class CredentialsRefusedError(RouterError):
    """The router refused the login. Trying again could lock the account."""

    failure_type = FailureType.CREDENTIALS_REFUSED


class PlatformUnknownError(RouterError):
    """There is no driver for the platform."""

    failure_type = FailureType.PLATFORM_UNKNOWN


class CheckUnknownError(RouterError):
    """A declared check is none that the router's driver can make."""

    failure_type = FailureType.CHECK_UNKNOWN


class RequestInvalidError(RouterError):
    """A value of the request cannot be used."""

    failure_type = FailureType.REQUEST_INVALID


class RequestTooNewError(RouterError):
    """The request is of a newer release than this worker."""

    failure_type = FailureType.REQUEST_TOO_NEW


class PayloadUnreadableError(RouterError):
    """A payload is encrypted with a key that is not here. Another worker may have it, or this one later."""

    failure_type = FailureType.PAYLOAD_UNREADABLE
    is_retryable = True


class ApprovalDeniedError(RouterError):
    """Somebody decided against the change."""

    failure_type = FailureType.APPROVAL_DENIED


class ApprovalTimedOutError(RouterError):
    """Nobody decided on the change in time."""

    failure_type = FailureType.APPROVAL_TIMED_OUT


class ChecksFailedError(RouterError):
    """The change is in place and the router does not do what it should."""

    failure_type = FailureType.CHECKS_FAILED


class DriverMisusedError(RouterError):
    """The router's service refused the request as malformed: a bug on our side."""

    failure_type = FailureType.DRIVER_MISUSED


def to_application_error(error: RouterError) -> ApplicationError:
    """Return the error as Temporal's, typed and marked retryable or not."""
    return ApplicationError(str(error), type=error.failure_type.value, non_retryable=not error.is_retryable)
