"""All scenarios by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from load_tests.errors import LoadTestError
from load_tests.scenarios.deployments import Deployments
from load_tests.scenarios.heartbeats import Heartbeats
from load_tests.scenarios.large_history import LargeHistory
from load_tests.scenarios.messages import Messages
from load_tests.scenarios.rollouts import Rollouts
from load_tests.scenarios.scenario import Scenario
from load_tests.scenarios.schedules import Schedules
from load_tests.scenarios.timers import Timers

_ALL: tuple[type[Scenario], ...] = (
    Deployments,
    Messages,
    Timers,
    Heartbeats,
    Rollouts,
    LargeHistory,
    Schedules,
)
SCENARIOS: Mapping[str, type[Scenario]] = {scenario.name: scenario for scenario in _ALL}


def find(name: str) -> type[Scenario]:
    """Return the scenario of that name.

    Raises:
        LoadTestError: When there is none.
    """
    if name not in SCENARIOS:
        raise LoadTestError(f"scenario {name!r} must be one of {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def summary(scenario: type[Scenario]) -> str:
    """Return what a scenario is, in one line: the first of its module."""
    return (inspect.getmodule(scenario).__doc__ or "").partition("\n")[0]
