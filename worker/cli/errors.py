"""The one place where an exception becomes one line for people and an exit code; never a stack trace."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback

import typer
from temporalio.client import (
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from worker.administration.moves import TenantMovingError
from worker.cli.exits import Exit
from worker.cli.output import one_line
from worker.errors import FailureType, RouterError, UsageError
from worker.tenancy import TenancyError

TRACEBACK = "ROUTERFLEET_TRACEBACK"
"""Environment: 1 adds the stack trace to an internal error, for who mends it."""


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is one line for people."""

    code = Exit.FAILED

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
        """As `FailureType` where there is one, for machines."""


def report(error: BaseException, *, is_json: bool) -> int:
    """Write the error and return the exit code.

    One line on standard error; with `is_json` also an object on standard output, so that a machine need not
    read prose.
    """
    if isinstance(error, SystemExit):
        return int(error.code or 0)
    code, kind, message = explain(error)
    if isinstance(error, BrokenPipeError):
        # Nobody reads any more: point the stream elsewhere, or the interpreter complains when it flushes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    if kind == _INTERNAL and os.environ.get(TRACEBACK) == "1":
        traceback.print_exception(error)
    if message:
        sys.stderr.write(f"{message}\n")
    if is_json and message:
        sys.stdout.write(json.dumps({"error": kind, "message": message, "exit_code": int(code)}) + "\n")
    return code


_INTERNAL = "InternalError"
_USAGE = frozenset({FailureType.REQUEST_INVALID, FailureType.PAYLOAD_UNREADABLE})
"""What the workflow or the codec refuses because of what the caller gave it."""


def explain(error: BaseException) -> tuple[Exit, str, str]:
    """Return exit code, type and line of an exception."""
    kind = type(error).__name__.removesuffix("Error")
    match error:
        case CommandError():
            return error.code, error.kind, one_line(str(error))
        case RouterError():
            return Exit.USAGE, error.failure_type, one_line(str(error))
        case TenantMovingError():
            return Exit.FAILED, error.failure_type, one_line(str(error))
        case UsageError() | TenancyError():
            return Exit.USAGE, "UsageError", one_line(str(error))
        case typer.Abort():
            return Exit.INTERRUPTED, "Interrupted", ""
        case typer.TyperException():
            # "Value error" is how typer's validator prefixes what is wrong; it tells people nothing. Help, when
            # there is no command, has been written by then.
            text = error.format_message().replace("Value error, ", "")
            return Exit.USAGE, "UsageError", one_line(text)
        case KeyboardInterrupt() | asyncio.CancelledError():
            return Exit.INTERRUPTED, "Interrupted", ""
        case WorkflowUpdateFailedError() | WorkflowFailureError():
            return _explain_failure(error.cause)
        case ApplicationError():  # from reading what was encrypted for somebody else
            return _explain_failure(error)
        case WorkflowUpdateRPCTimeoutOrCancelledError() | WorkflowQueryFailedError() | RPCError():
            return Exit.FAILED, kind, one_line(f"{_address()}: {_rpc_reason(error)}")
        case RuntimeError():  # what the SDK raises when it cannot connect
            return Exit.FAILED, "Unreachable", one_line(f"{_address()}: cannot be reached: {error}")
        case OSError():
            return Exit.FAILED, kind, one_line(f"{error.filename or 'system'}: {error.strerror or error}")
        case _:
            text = f"internal error, please report it ({TRACEBACK}=1 shows where): {error!r}"
            return Exit.FAILED, _INTERNAL, one_line(text)


def _explain_failure(cause: BaseException) -> tuple[Exit, str, str]:
    if not isinstance(cause, ApplicationError):
        return Exit.FAILED, type(cause).__name__, one_line(str(cause))
    code = Exit.USAGE if cause.type in _USAGE else Exit.FAILED
    return code, cause.type or "ApplicationError", one_line(cause.message)


def _rpc_reason(error: BaseException) -> str:
    if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
        return f"{error.message}; `python -m worker.tenants check` shows what is missing"
    return str(error) or type(error).__name__


def _address() -> str:
    return os.environ.get("TEMPORAL_ADDRESS", "TEMPORAL_ADDRESS")
