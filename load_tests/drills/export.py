"""A drill in Chaos Toolkit's format (https://chaostoolkit.org/reference/api/experiment/). Pure.

Actions and probes call this command line by the process provider, so that whoever has Chaos Toolkit runs our drills
with it. It holds only the probes of the hypothesis against a tolerance, before and after the method, so the drill's
own verdict is one of these: before there is one, it is none. The rollback undoes what a killed drill left.
"""

from __future__ import annotations

from typing import Any

from load_tests.drills.drill import Drill

FORMAT = "chaostoolkit"
FORMATS = (FORMAT,)
_VERSION = "1.0.0"
_STEADY_SECONDS = 30
_MARGIN_SECONDS = 900
"""For what is not the load itself: getting ready, Ready again, the checker."""


def experiment(drill: Drill, stack: str) -> dict[str, Any]:
    """Return the experiment that a drill is."""
    folder = f"build/drills/chaostoolkit-{drill.name}"
    load = drill.load
    steady = [
        "-m", "load_tests", "run", drill.scenario, "--stack", stack, "--rate", f"{load.rate:g}",
        "--duration", f"{_STEADY_SECONDS}s", "--shape", load.shape, "--json",
        *(word for option in load.options for word in ("--set", option)),
    ]  # fmt: skip
    return {
        "version": _VERSION,
        "title": drill.name,
        "description": drill.summary,
        "tags": ["temporal", drill.fault.name],
        "steady-state-hypothesis": {
            "title": "Every operation is acknowledged and the store agrees",
            "probes": [
                {
                    "type": "probe",
                    "name": f"{drill.scenario} for {_STEADY_SECONDS} s",
                    "tolerance": 0,
                    "provider": _process(steady, _STEADY_SECONDS + _MARGIN_SECONDS),
                },
                {
                    "type": "probe",
                    "name": "the drill, once it was run, has passed",
                    "tolerance": 0,
                    "provider": _process(["-m", "load_tests", "verdict", folder, "--if-any"], 60),
                },
            ],
        },
        "method": [
            {
                "type": "action",
                "name": f"{drill.fault.name} under load, healed, checked",
                "provider": _process(
                    ["-m", "load_tests", "drill", drill.name, "--stack", stack, "--output", folder, "--json"],
                    drill.phases.total_seconds + _MARGIN_SECONDS,
                ),
            },
        ],
        "rollbacks": [
            {
                "type": "action",
                "name": "undo what the drill left",
                "provider": _process(
                    ["-m", "load_tests.faults.heal", f"{folder}/01-{drill.name}-1", "--json"], _MARGIN_SECONDS
                ),
            }
        ],
    }


def _process(arguments: list[str], seconds: float) -> dict[str, Any]:
    return {"type": "process", "path": "python", "arguments": arguments, "timeout": seconds}
