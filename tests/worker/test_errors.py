"""Which failures are worth a retry: pure."""

from __future__ import annotations

from worker.errors import RouterError, to_application_error


def test_every_router_error_has_its_type_and_only_unreachable_is_retried() -> None:
    mapped = {
        error.type: error.non_retryable
        for error in (to_application_error(kind("r1", "why")) for kind in RouterError.__subclasses__())
    }

    assert mapped == {
        "RouterUnreachable": False,
        "RouterUnknown": True,
        "RouterNotOwned": True,
        "PlatformMismatch": True,
        "TemplateInvalid": True,
        "RouterDrifted": True,
        "ChangeHalfApplied": True,
        "ChangeWithdrawn": True,
        "ChecksFailed": True,
        "DriverMisused": True,
    }


def test_message_names_the_router() -> None:
    kind = RouterError.__subclasses__()[0]

    assert to_application_error(kind("r1", "cannot be reached")).message == "r1: cannot be reached"
