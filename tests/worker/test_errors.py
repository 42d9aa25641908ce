"""Which failures are worth a retry: pure."""

from __future__ import annotations

from worker.errors import FailureType, RouterError, to_application_error


def test_every_router_error_has_its_type_and_only_what_may_pass_is_retried() -> None:
    mapped = {
        error.type: error.non_retryable
        for error in (to_application_error(kind("r1", "why")) for kind in RouterError.__subclasses__())
    }

    assert {type_ for type_, is_final in mapped.items() if not is_final} == {
        "RouterUnreachable",
        "PayloadUnreadable",
    }
    assert mapped.keys() | _OF_THE_WORKFLOW == set(FailureType)


_OF_THE_WORKFLOW = {
    FailureType.DEPLOYMENT_REFUSED,
    FailureType.DEPLOYMENT_ROLLED_BACK,
    FailureType.ROLLBACK_FAILED,
    FailureType.TENANT_BUSY,
    FailureType.TENANT_UNKNOWN,
    FailureType.TENANT_MOVING,
}
"""Types of failures that are no single router's."""


def test_message_names_the_router() -> None:
    kind = RouterError.__subclasses__()[0]

    assert to_application_error(kind("r1", "cannot be reached")).message == "r1: cannot be reached"
