"""What a drill came to, as it is kept: plain values, without operations and without anything of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from load_tests.drills.drill import Drill
from load_tests.drills.gates import Mark
from load_tests.drills.measures import Latency, Measures, Moments
from load_tests.drills.prediction import Comparison
from load_tests.errors import LoadTestError
from load_tests.runs.judgement import Judgement

FILE = "drill.json"


@dataclass(frozen=True)
class FaultReport:
    """What went wrong on purpose.

    Attributes:
        parameters: With zones by their names.
        description: For people; empty where it was not injected.
        proof: What showed that it took effect.
        could_not: What this cluster does not offer of it.
    """

    name: str
    parameters: Mapping[str, str]
    hit_zones: Sequence[str] = ()
    description: str = ""
    proof: str = ""
    could_not: Sequence[str] = ()


@dataclass(frozen=True)
class DrillResult:
    """What a drill came to.

    Attributes:
        moments: None where the fault was never in effect.
        violations: By invariant of the checker, how many; empty where it did not look.
        redundant_seconds: From the heal until everything was Ready again; None: it was not, or was not asked.
        tenants: Start to close of each tenant: before, during and after.
    """

    drill: Drill
    stack: str
    commit: str
    stack_hash: str
    run: str
    began: float
    judgement: Judgement
    fault: FaultReport
    moments: Moments | None = None
    measures: Measures | None = None
    marks: Sequence[Mark] = ()
    comparison: Comparison | None = None
    violations: Mapping[str, int] = field(default_factory=dict[str, int])
    redundant_seconds: float | None = None
    quality: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tenants: Mapping[str, Mapping[str, Latency]] = field(default_factory=dict[str, "Mapping[str, Latency]"])

    def to_json(self) -> dict[str, Any]:
        """Return plain values; times within the drill are seconds from its begin."""
        return {
            "drill": self.drill.name,
            "summary": self.drill.summary,
            "stack": self.stack,
            "commit": self.commit,
            "stack_hash": self.stack_hash,
            "run": self.run,
            "began": iso(self.began),
            "verdict": self.judgement.verdict.value,
            "reasons": list(self.judgement.reasons),
            "scenario": self.drill.scenario,
            "load": asdict(self.drill.load),
            "phases": asdict(self.drill.phases),
            "fault": asdict(self.fault),
            "moments": None if self.moments is None else from_begin(self.moments),
            "measures": None if self.measures is None else asdict(self.measures),
            "marks": [
                {**asdict(mark), "is_within_gate": mark.is_within_gate, "is_within_goal": mark.is_within_goal}
                for mark in self.marks
            ],
            "prediction": _prediction(self.comparison),
            "violations": dict(self.violations),
            "redundant_seconds": self.redundant_seconds,
            "quality": dict(self.quality),
            "tenants": {
                tenant: {part: asdict(latency) for part, latency in parts.items()}
                for tenant, parts in self.tenants.items()
            },
        }


def iso(at: float) -> str:
    """Return a time as people and machines read it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def from_begin(moments: Moments) -> dict[str, float]:
    """Return every moment in seconds from the begin."""
    return {name: round(at - moments.begin, 2) for name, at in asdict(moments).items() if name != "begin"}


def write(folder: Path, result: DrillResult) -> Path:
    """Keep a result in the folder of its drill; whole or not at all."""
    path = folder / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(result.to_json(), indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def read(path: Path) -> dict[str, Any]:
    """Return what was kept.

    Raises:
        LoadTestError: When it cannot be read.
    """
    try:
        values: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadTestError(f"{path}: no result of a drill ({error})") from error
    if not isinstance(values, dict) or "drill" not in values:
        raise LoadTestError(f"{path}: no result of a drill (it has no key 'drill')")
    return cast("dict[str, Any]", values)


def _prediction(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None or comparison.expected is None:
        return None
    return {
        **asdict(comparison.expected),
        "observed_share": comparison.observed_share,
        "observed_outage_seconds": comparison.observed_outage_seconds,
        "complaints": comparison.complaints(),
        "text": comparison.text(),
    }


def plain(drill: Drill) -> dict[str, Any]:
    """Return a drill as plain values."""
    return asdict(drill)
