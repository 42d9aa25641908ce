"""What a start says its workflow has to come to: `Operation.expected`, and how it is compared with what came.

Without anything said, a workflow has to complete, whatever it returns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from load_tests.checker.observations import Run, Status
from load_tests.errors import LoadTestError

_FAILURE = "$failure"
_INCLUDES = "$includes"


def returns(value: object) -> str:
    """Return the expectation of exactly this result, given as plain JSON values."""
    return json.dumps(value, sort_keys=True)


def returns_including(values: Mapping[str, object]) -> str:
    """Return the expectation of an object that has these fields, whatever else it has."""
    return json.dumps({_INCLUDES: dict(values)}, sort_keys=True)


def fails(failure_type: str) -> str:
    """Return the expectation that the workflow fails with this type of failure."""
    return json.dumps({_FAILURE: failure_type})


def complaint(run: Run, expected: str) -> str:
    """Return what is wrong with how a closed run ended; empty: nothing.

    Args:
        run: The last of its line.
        expected: As one of this module's functions made it; empty: it has to complete.

    Raises:
        LoadTestError: When `expected` is no JSON.
    """
    wanted = _parse(expected, run) if expected else None
    fields = cast("dict[str, object]", wanted) if isinstance(wanted, dict) else {}
    if _FAILURE in fields:
        if run.status is Status.FAILED and run.failure == fields[_FAILURE]:
            return ""
        return f"is {_ending(run)}, should have failed with {fields[_FAILURE]}"
    if run.status is not Status.COMPLETED:
        return f"is {_ending(run)}, should be {Status.COMPLETED}"
    if not expected:
        return ""
    if _INCLUDES in fields:
        return _missing_fields(run.result, cast("dict[str, object]", fields[_INCLUDES]))
    if run.result == wanted:
        return ""
    return f"returned {_short(run.result)}, should be {expected:.200}"


def _parse(expected: str, run: Run) -> object:
    try:
        return json.loads(expected)
    except ValueError as error:
        raise LoadTestError(f"expected: {expected!r:.80} of {run.target} must be JSON ({error})") from error


def _missing_fields(result: object, wanted: Mapping[str, object]) -> str:
    if not isinstance(result, dict):
        return f"returned {_short(result)}, should be an object with {_short(wanted)}"
    found = cast("dict[str, object]", result)
    wrong = {name: found.get(name) for name, value in wanted.items() if found.get(name) != value}
    if not wrong:
        return ""
    return f"returned {_short(wrong)}, should be {_short({name: wanted[name] for name in wrong})}"


def _ending(run: Run) -> str:
    return f"{run.status} ({run.failure})" if run.failure else str(run.status)


def _short(value: object) -> str:
    return f"{json.dumps(value, sort_keys=True):.200}"
